<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

/** A result of a search: an entity, or the name of an action. */
final class Hit
{
    /**
     * @param array<mixed>|null $properties
     * @param list<mixed> $obligations
     */
    public function __construct(
        public readonly string $type = '',
        public readonly string $id = '',
        public readonly string $name = '',
        public readonly ?array $properties = null,
        public readonly array $obligations = [],
    ) {
    }
}
