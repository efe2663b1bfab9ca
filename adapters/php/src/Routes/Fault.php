<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Routes;

/** A mistake in a route file. */
final class Fault
{
    /**
     * @param string $where the place, such as routes[3].methods
     * @param string $message what is wrong, and what to do
     */
    public function __construct(public readonly string $where, public readonly string $message)
    {
    }
}
