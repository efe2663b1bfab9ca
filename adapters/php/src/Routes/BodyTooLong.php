<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Routes;

/** The body of a request is longer than the limit. */
final class BodyTooLong extends \RuntimeException
{
}
