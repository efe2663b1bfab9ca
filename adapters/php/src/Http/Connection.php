<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Http;

use Wardkeeper\Pep\NoAnswer;
use Wardkeeper\Pep\TimedOut;
use Wardkeeper\Pep\Unreachable;
use Wardkeeper\Pep\Warnings;

/** An established connection. It exchanges one request for its answer at a time.
 *
 * A persistent stream outlives the request of a person, and its mode tells the next one what state it is in: it blocks only while
 * it is idle. One whose exchange was cut off, by whatever ended the script, is found not to block, and is closed.
 *
 * @internal
 */
final class Connection
{
    private const TLS = STREAM_CRYPTO_METHOD_TLSv1_2_CLIENT | STREAM_CRYPTO_METHOD_TLSv1_3_CLIENT;
    private const PIECE = 64 << 10; // bytes that are read at once

    /** @param resource $stream */
    private function __construct(private $stream)
    {
    }

    /** Connects to a server, or takes a persistent connection to it that is idle.
     *
     * @param string $caFile the authorities for TLS; empty for those of the system
     * @param bool $persistent whether to keep the connection for the next request of this process
     * @param float $deadline as now() counts
     * @throws NoAnswer
     */
    public static function open(Address $address, string $caFile, bool $persistent, float $deadline): self
    {
        $context = stream_context_create(['socket' => ['tcp_nodelay' => true], 'ssl' => [
            'verify_peer' => true, 'verify_peer_name' => true, 'allow_self_signed' => false, 'peer_name' => $address->host,
            'SNI_enabled' => true, 'disable_compression' => true,
        ] + ($caFile === '' ? [] : ['cafile' => $caFile])]);
        $connection = self::connect(self::target($address, $caFile), $persistent, $context, $deadline);
        if ($persistent && !$connection->isIdle()) {
            $connection->close();
            $connection = self::connect(self::target($address, $caFile), $persistent, $context, $deadline);
        }
        stream_set_blocking($connection->stream, false);
        if ($address->tls && !isset(stream_get_meta_data($connection->stream)['crypto'])) {
            $connection->secure($deadline);
        }
        return $connection;
    }

    /** Returns the time that deadlines are compared with, in seconds. */
    public static function now(): float
    {
        return hrtime(true) / 1e9;
    }

    /** Reports whether the connection can be used: nothing was received since the last answer, not even an end. */
    public function isIdle(): bool
    {
        $stream = $this->stream;
        if (!is_resource($stream) || !stream_get_meta_data($stream)['blocked']) {
            return false;
        }
        stream_set_blocking($stream, false);
        $received = Warnings::without(static fn () => fread($stream, 1));
        $silent = $received === '' && !feof($stream);
        stream_set_blocking($stream, $silent);
        return $silent;
    }

    public function close(): void
    {
        if (is_resource($this->stream)) {
            Warnings::without(fn () => fclose($this->stream));
        }
    }

    /** Sends a request and receives its answer.
     *
     * @throws Broke if the connection broke before the answer began
     * @throws NoAnswer
     */
    public function exchange(string $text, Answer $answer, float $deadline): void
    {
        stream_set_blocking($this->stream, false);
        try {
            $this->write($text, $deadline);
            while (!$answer->complete) {
                $data = $this->read($deadline);
                if ($data !== null && $data !== '') {
                    $answer->feed($data);
                } elseif (!$answer->begun) {
                    throw new Broke();
                } elseif ($data === null) {
                    throw new Unreachable('the decision point broke off the connection');
                } else {
                    $answer->end();
                }
            }
        } finally {
            if ($answer->complete && $answer->reusable) {
                stream_set_blocking($this->stream, true);
            } else {
                $this->close();
            }
        }
    }

    /** Returns the address for PHP. It differs from those of other programs, whose persistent streams are told apart by it. */
    private static function target(Address $address, string $caFile): string
    {
        if ($address->socket !== '') {
            return 'unix:///.' . $address->socket;
        }
        $host = str_contains($address->host, ':') ? "[$address->host]" : $address->host;
        $settings = hash('xxh128', ($address->tls ? 'tls ' : '') . $caFile);
        return "tcp://$host:$address->port/wardkeeper-$settings";
    }

    /** @param resource $context */
    private static function connect(string $target, bool $persistent, $context, float $deadline): self
    {
        $left = self::left($deadline);
        $flags = STREAM_CLIENT_CONNECT | ($persistent ? STREAM_CLIENT_PERSISTENT : 0);
        $problem = '';
        $stream = Warnings::without(
            static function () use ($target, &$problem, $left, $flags, $context) {
                return stream_socket_client($target, $code, $problem, $left, $flags, $context);
            }
        );
        if ($stream === false) {
            self::left($deadline);
            throw new Unreachable('the decision point cannot be reached' . ($problem === '' ? '' : ": $problem"));
        }
        return new self($stream);
    }

    /** Begins TLS, and verifies the certificate. */
    private function secure(float $deadline): void
    {
        do {
            $done = Warnings::without(fn () => stream_socket_enable_crypto($this->stream, true, self::TLS), $said);
            if ($done === 0) {
                try {
                    $this->wait(false, $deadline);
                } catch (NoAnswer $error) {
                    $this->close();
                    throw $error;
                }
            }
        } while ($done === 0);
        if ($done !== true) {
            $this->close();
            $untrusted = preg_match('/certificate|Peer/', $said ?? '') === 1;
            throw new Unreachable($untrusted
                ? 'the decision point cannot be trusted: its certificate is not valid, or of another name or authority'
                : 'the connection to the decision point failed: it does not speak TLS');
        }
    }

    private function write(string $text, float $deadline): void
    {
        while ($text !== '') {
            $written = Warnings::without(fn () => fwrite($this->stream, $text));
            if ($written === false || ($written === 0 && feof($this->stream))) {
                throw new Broke();
            }
            $text = substr($text, $written);
            if ($text !== '') {
                $this->wait(true, $deadline);
            }
        }
    }

    /** Returns what was received, an empty text at the end, or null if the connection has failed. */
    private function read(float $deadline): ?string
    {
        while (true) {
            self::left($deadline);
            $data = Warnings::without(fn () => fread($this->stream, self::PIECE));
            if ($data === false) {
                return null;
            }
            if ($data !== '' || feof($this->stream)) {
                return $data;
            }
            $this->wait(false, $deadline);
        }
    }

    /** Waits until the stream can be written or read. */
    private function wait(bool $forWriting, float $deadline): void
    {
        $left = self::left($deadline);
        $read = $forWriting ? [] : [$this->stream];
        $write = $forWriting ? [$this->stream] : [];
        $except = [];
        $microseconds = (int) ceil(fmod($left, 1) * 1e6);
        Warnings::without(static function () use (&$read, &$write, &$except, $left, $microseconds) {
            return stream_select($read, $write, $except, (int) $left, $microseconds); // a signal may end it early
        });
    }

    private static function left(float $deadline): float
    {
        $left = $deadline - self::now();
        return $left > 0 ? $left : throw new TimedOut();
    }
}
