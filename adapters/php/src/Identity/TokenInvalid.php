<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Identity;

/** A token is not valid. The message does not quote it. */
final class TokenInvalid extends \RuntimeException
{
}
