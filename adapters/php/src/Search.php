<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

/** A search. The part that is searched for is empty: the subject's id, the resource's id, or the action. */
final class Search
{
    /**
     * @param array<mixed>|null $context
     * @param int|null $limit how many results a page has at most; null leaves it to the decision point
     * @param string $token continues a list: the nextToken of the page before
     */
    public function __construct(
        public readonly ?Entity $subject = null,
        public readonly ?Action $action = null,
        public readonly ?Entity $resource = null,
        public readonly ?array $context = null,
        public readonly ?int $limit = null,
        public readonly string $token = '',
    ) {
    }

    /** Returns the search for another page. */
    public function at(string $token): self
    {
        return new self($this->subject, $this->action, $this->resource, $this->context, $this->limit, $token);
    }

    /** Returns the search as it is sent, for "subject", "resource" or "action".
     *
     * @return array<string, mixed>
     */
    public function message(string $kind): array
    {
        $page = ($this->limit === null ? [] : ['limit' => $this->limit]) + ($this->token === '' ? [] : ['token' => $this->token]);
        return array_filter([
            'subject' => $this->subject?->message($kind !== 'subject'),
            'action' => $kind === 'action' ? null : $this->action?->message(),
            'resource' => $this->resource?->message($kind !== 'resource'),
            'context' => $this->context === null ? null : (object) $this->context,
        ], static fn ($part) => $part !== null) + ['page' => (object) $page];
    }
}
