<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Routes;

use Wardkeeper\Pep\Evaluation;

/** The meaning of a request, as far as it has been found out. */
final class Resolution
{
    /** The route that matches, if there is one. */
    public ?Route $route = null;

    /** What to ask; null if the route is public, or if there is none. */
    public ?Evaluation $question = null;
}
