<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

/** A decision point in its own words. What it does not offer is empty. */
final class Metadata
{
    /**
     * @param array<string, string> $endpoints URLs by evaluation, evaluations, subject, resource and action (searches), and
     *     guard_claim
     * @param list<string> $supportedObligations
     */
    public function __construct(
        public readonly string $policyDecisionPoint,
        public readonly array $endpoints,
        public readonly array $supportedObligations = [],
    ) {
    }
}
