<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Identity;

/** A key set cannot be used. */
final class KeySetError extends \RuntimeException
{
}
