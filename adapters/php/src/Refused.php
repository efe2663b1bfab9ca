<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

/** Thrown where the application itself asks, to end a request with a refusal. The middleware answers with it. */
final class Refused extends \RuntimeException
{
    public function __construct(public readonly Refusal $refusal)
    {
        parent::__construct($refusal->code);
    }
}
