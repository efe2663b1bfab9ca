<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

/** A subject or a resource. */
final class Entity
{
    /** @param array<mixed>|null $properties by their names */
    public function __construct(
        public readonly string $type,
        public readonly string $id = '',
        public readonly ?array $properties = null,
    ) {
    }

    /** Returns the entity as it is sent.
     *
     * @return array<string, mixed>
     */
    public function message(bool $withId = true): array
    {
        return ['type' => $this->type]
            + ($withId ? ['id' => $this->id] : [])
            + ($this->properties === null ? [] : ['properties' => (object) $this->properties]);
    }
}
