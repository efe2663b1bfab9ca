<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

/** A page of a list. */
final class Page
{
    /**
     * @param list<Hit> $hits
     * @param string $nextToken continues the list; empty if it is complete
     */
    public function __construct(public readonly array $hits, public readonly string $nextToken = '')
    {
    }
}
