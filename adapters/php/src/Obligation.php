<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

/** A task that the application has to do together with an action. */
final class Obligation
{
    /** @param array<mixed> $properties by their names; objects in them are of stdClass */
    public function __construct(
        public readonly string $id,
        public readonly string $type,
        public readonly array $properties = [],
    ) {
    }

    /** Returns the key of its handler: the type; of a custom obligation also the action, as in custom/confirm. */
    public function kind(): string
    {
        if ($this->type !== 'custom') {
            return $this->type;
        }
        $action = $this->properties['action'] ?? '';
        return 'custom/' . (is_string($action) ? $action : '');
    }

    /** Returns the obligation as JSON has it.
     *
     * @return array<string, mixed>
     */
    public function message(): array
    {
        return ['id' => $this->id, 'type' => $this->type, 'properties' => (object) $this->properties];
    }
}
