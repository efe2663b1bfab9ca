<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

/** The decision point answered with a status other than 200. 401 means that the token is missing or wrong. */
final class BadStatus extends NoAnswer
{
    public function __construct(public readonly int $status)
    {
        parent::__construct("the decision point answered with status $status");
    }
}
