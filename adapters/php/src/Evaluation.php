<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

/** One question: may the subject do the action to the resource, in the context. */
final class Evaluation
{
    /** @param array<mixed> $context by the names of its members, such as current_location, confirmed and at_least */
    public function __construct(
        public readonly Entity $subject,
        public readonly Action $action,
        public readonly Entity $resource,
        public readonly array $context = [],
    ) {
    }

    /** Returns a question about a user. Texts are ids of users and the name of the action.
     *
     * @param string|null $location the place that the question is about: the resource's property of that name
     * @param array<mixed> $context
     */
    public static function of(
        string|Entity $subject,
        string|Action $action,
        string|Entity $resource,
        ?string $location = null,
        array $context = [],
    ): self {
        $resource = is_string($resource) ? new Entity('user', $resource) : $resource;
        if ($location !== null) {
            $resource = new Entity($resource->type, $resource->id, ['location' => $location] + ($resource->properties ?? []));
        }
        return new self(
            is_string($subject) ? new Entity('user', $subject) : $subject,
            is_string($action) ? new Action($action) : $action,
            $resource,
            $context,
        );
    }

    /** Returns the same question about another action. */
    public function withAction(string $action): self
    {
        return new self($this->subject, new Action($action), $this->resource, $this->context);
    }

    /** Returns the same question with more members of the context.
     *
     * @param array<mixed> $context
     */
    public function withContext(array $context): self
    {
        return new self($this->subject, $this->action, $this->resource, $context + $this->context);
    }

    /** Returns the question as it is sent.
     *
     * @return array<string, mixed>
     */
    public function message(): array
    {
        return [
            'subject' => $this->subject->message(),
            'action' => $this->action->message(),
            'resource' => $this->resource->message(),
        ] + ($this->context === [] ? [] : ['context' => (object) $this->context]);
    }
}
