<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Routes;

use Wardkeeper\Pep\Refusal;

/** Says why a request could not be resolved. The message is one sentence that may be sent to the person.
 *
 * It has names of the route file, but no value of the request.
 */
final class RouteError extends \RuntimeException
{
    /** @param string $cause for the log */
    private function __construct(public readonly int $status, string $message, public readonly string $cause = '')
    {
        parent::__construct($message);
    }

    /** The request has no single meaning, or lacks a value. */
    public static function badRequest(string $message, string $cause = ''): self
    {
        return new self(400, $message, $cause);
    }

    /** The person is not known. */
    public static function unauthenticated(string $message, string $cause = ''): self
    {
        return new self(401, $message, $cause);
    }

    /** What the request means, or who asks, cannot be found out now. */
    public static function unavailable(string $message, string $cause = ''): self
    {
        return new self(503, $message, $cause);
    }

    /** Returns the response to the person. */
    public function refusal(): Refusal
    {
        return match ($this->status) {
            400 => Refusal::badRequest($this->getMessage()),
            401 => Refusal::unauthenticated($this->getMessage()),
            default => Refusal::unavailable($this->getMessage()),
        };
    }
}
