<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Routes;

/** The body of a request could not be read completely. */
final class BodyIncomplete extends \RuntimeException
{
}
