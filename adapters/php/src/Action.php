<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

/** What the subject asks to do. */
final class Action
{
    /** @param array<mixed>|null $properties by their names */
    public function __construct(public readonly string $name, public readonly ?array $properties = null)
    {
    }

    /** Returns the action as it is sent.
     *
     * @return array<string, mixed>
     */
    public function message(): array
    {
        return ['name' => $this->name] + ($this->properties === null ? [] : ['properties' => (object) $this->properties]);
    }
}
