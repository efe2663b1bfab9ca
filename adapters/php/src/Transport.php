<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

/** Sends requests to one decision point. */
interface Transport
{
    /** Returns the body of an answer with status 200 and JSON.
     *
     * @param string $path of the endpoint, with that of the decision point's URL
     * @param array<string, string> $fields
     * @param float $seconds that it may take, a retry included
     * @throws NoAnswer for everything else
     */
    public function send(string $method, string $path, array $fields, string $body, float $seconds): string;

    /** Sends a claim by POST, once: one that may have arrived must not be sent again.
     *
     * @param string $path of the endpoint, with that of the decision point's URL
     * @param array<string, string> $fields
     * @param float $seconds that it may take
     * @return array{int, string} status, 200 or 409, and body of an answer with JSON
     * @throws NoAnswer for everything else
     */
    public function claim(string $path, array $fields, string $body, float $seconds): array;

    /** Returns the address that requests go to. */
    public function address(): Http\Address;
}
