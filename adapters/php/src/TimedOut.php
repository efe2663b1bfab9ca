<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

/** The decision point did not answer in time. */
final class TimedOut extends NoAnswer
{
    public function __construct()
    {
        parent::__construct('the decision point did not answer in time');
    }
}
