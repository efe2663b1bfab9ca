<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

/** The answer to one evaluation. */
final class Response
{
    /** @param array<mixed> $context as it was sent, guards included; objects in it are of stdClass */
    public function __construct(public readonly bool $decision, public readonly array $context = [])
    {
    }
}
