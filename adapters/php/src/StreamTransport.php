<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

use Wardkeeper\Pep\Http\Address;
use Wardkeeper\Pep\Http\Answer;
use Wardkeeper\Pep\Http\Broke;
use Wardkeeper\Pep\Http\Connection;

/** Sends requests over PHP's own streams: TCP, TLS and Unix sockets. It takes no proxy from the environment.
 *
 * One connection is kept, and used again by the next request of a person that the same process handles.
 */
final class StreamTransport implements Transport
{
    private static int $process = 0; // in which the first connection was made

    private readonly Address $address;
    private ?Connection $kept = null;

    /**
     * @param string $url http://HOST:PORT, https://HOST or unix:/PATH
     * @param string $caFile the certificate authorities for https; empty for those of the system
     * @param int $maxResponse bounds an answer, in bytes
     * @param bool $persistent whether the connection outlives the request of a person
     */
    public function __construct(
        string $url,
        private readonly string $caFile = '',
        private readonly int $maxResponse = 1 << 20,
        private readonly bool $persistent = true,
    ) {
        $this->address = Address::of($url);
        if ($maxResponse < 1) {
            throw new \InvalidArgumentException('maxResponse has to be positive');
        }
    }

    public function address(): Address
    {
        return $this->address;
    }

    public function send(string $method, string $path, array $fields, string $body, float $seconds): string
    {
        $deadline = Connection::now() + $seconds;
        $text = $this->text($method, $path, $fields, $body);
        $id = $fields['X-Request-ID'] ?? '';
        try {
            return $this->attempt($text, new Answer($id, $this->maxResponse), $deadline)->body;
        } catch (Broke) {
            // Asking again is safe: questions change nothing. The connection was closed, so this one is new (PEP-8).
            try {
                return $this->attempt($text, new Answer($id, $this->maxResponse), $deadline)->body;
            } catch (Broke) {
                throw self::brokenOff();
            }
        }
    }

    public function claim(string $path, array $fields, string $body, float $seconds): array
    {
        $deadline = Connection::now() + $seconds;
        $text = $this->text('POST', $path, $fields, $body);
        $answer = new Answer($fields['X-Request-ID'] ?? '', $this->maxResponse, statuses: [200, 409]);
        try {
            $this->attempt($text, $answer, $deadline);
        } catch (Broke) {
            throw self::brokenOff();
        }
        return [$answer->status, $answer->body];
    }

    /** @param array<string, string> $fields */
    private function text(string $method, string $path, array $fields, string $body): string
    {
        try {
            return $this->address->request($method, $path, $fields, $body);
        } catch (\InvalidArgumentException) {
            throw new NoAnswer('the request to the decision point cannot be made');
        }
    }

    private function attempt(string $text, Answer $answer, float $deadline): Answer
    {
        $connection = $this->take($deadline);
        $this->kept = null;
        $connection->exchange($text, $answer, $deadline);
        $this->kept = $answer->reusable ? $connection : null;
        return $answer;
    }

    private static function brokenOff(): Unreachable
    {
        return new Unreachable('the decision point broke off the connection');
    }

    private function take(float $deadline): Connection
    {
        // A process that was forked has the connections of its parent, which it must not use.
        self::$process = self::$process ?: (int) getmypid();
        $forked = self::$process !== getmypid();
        if ($this->kept !== null && !$forked && $this->kept->isIdle()) {
            return $this->kept;
        }
        return Connection::open($this->address, $this->caFile, $this->persistent && !$forked, $deadline);
    }
}
