<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Identity;

/** It cannot be found out now whether a token is valid. */
final class KeysUnavailable extends \RuntimeException
{
    public function __construct()
    {
        parent::__construct('the keys of the issuer are not available');
    }
}
