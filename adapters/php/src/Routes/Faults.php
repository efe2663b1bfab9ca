<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Routes;

/** Has every fault of a route file. There is at least one. */
final class Faults extends \InvalidArgumentException
{
    /** @param list<Fault> $faults */
    public function __construct(public readonly array $faults)
    {
        parent::__construct(implode("\n", array_map(
            static fn (Fault $fault) => ($fault->where === '' ? '' : "$fault->where: ") . $fault->message,
            $faults
        )));
    }
}
