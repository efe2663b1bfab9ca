<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Testing;

/** A question that the decision point was asked. */
final class Asked
{
    /**
     * @param array<mixed> $context
     * @param array<mixed> $message the whole question; objects in it are of stdClass
     * @param array<string, string> $fields the header fields of the request
     */
    public function __construct(
        public readonly string $subject,
        public readonly string $action,
        public readonly string $resource,
        public readonly array $context,
        public readonly array $message,
        public readonly array $fields,
    ) {
    }
}
