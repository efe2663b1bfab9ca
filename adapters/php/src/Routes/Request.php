<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Routes;

/** A request to resolve. An adapter passes on what it received, unchanged. */
final class Request
{
    /**
     * @param string $target the request target as it was received: path and query, still encoded
     * @param list<string> $host every value of the Host field
     * @param Headers $headers the other fields
     * @param string|null $path the decoded path that the application gets. If it is given, it has to be what the target means
     * @param string|null $query the query that the application gets. If it is given, it has to be that of the target
     * @param (\Closure(int): string)|null $readBody returns the whole body, or throws BodyTooLong if it is longer than so many
     *     bytes. It is called at most once, and only if the question draws from the body. Without it, such requests are refused
     * @param (\Closure(): bool)|null $fromProxy whether the sender is an authenticated proxy. Only then may a field name the person
     */
    public function __construct(
        public readonly string $method,
        public readonly string $target,
        public readonly array $host,
        public readonly Headers $headers,
        public readonly ?string $path = null,
        public readonly ?string $query = null,
        public readonly ?\Closure $readBody = null,
        private readonly ?\Closure $fromProxy = null,
    ) {
    }

    /** Reports whether the sender is an authenticated proxy. */
    public function isFromProxy(): bool
    {
        return $this->fromProxy !== null && ($this->fromProxy)() === true;
    }
}
