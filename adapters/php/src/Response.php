<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

/** The answer to one evaluation. */
final class Response
{
    /** @param array<mixed> $context as it was sent, guards included; objects in it are of stdClass */
    public function __construct(public readonly bool $decision, public readonly array $context = [])
    {
    }

    /** Returns the token of the guard for Client::claim. It is empty unless the question asked for one (include in its context) and
     * the answer allows a change.
     */
    public function guard(): string
    {
        $guard = $this->context['guard'] ?? null;
        $token = $guard instanceof \stdClass ? $guard->token ?? '' : '';
        return is_string($token) ? $token : '';
    }
}
