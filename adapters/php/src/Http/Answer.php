<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Http;

use Wardkeeper\Pep\BadStatus;
use Wardkeeper\Pep\NoAnswer;
use Wardkeeper\Pep\Unreachable;

/** Parses one answer, and does no I/O. Feed it what is received until it is complete, and end it if the other side does.
 *
 * Whatever is not a well-formed answer with an accepted status and type throws NoAnswer.
 */
final class Answer
{
    // JSON has no parameters: any but the charset may announce another format (PEP-1).
    public const JSON = '~\Aapplication/json(?:[ \t]*+;[ \t]*+charset=(?:utf-8|"utf-8"))?\z~i';

    private const MAX_HEAD = 64 << 10; // bytes of a header
    private const MAX_INTERIM = 5; // answers with a 1xx status before the final one

    public bool $begun = false; // whether anything has been received
    public bool $complete = false;
    public bool $reusable = false; // whether the connection can be used again
    public int $status = 0;
    public string $body = '';

    private string $received = '';
    private int $at = 0; // what has been parsed of it
    private bool $inBody = false;
    private int $interim = 0;
    private ?int $length = null; // of the body
    private bool $chunked = false;
    private string $state = 'size'; // of a chunked body: size, data, end, trailer
    private int $chunk = 0; // what is left of the chunk that has begun
    private bool $keep = false;

    /** @param list<int> $statuses that are accepted */
    public function __construct(
        private readonly string $requestId,
        private readonly int $maxBody,
        private readonly string $type = self::JSON,
        private readonly array $statuses = [200],
    ) {
    }

    /** Takes what was received. */
    public function feed(string $data): void
    {
        $this->begun = $this->begun || $data !== '';
        $this->received .= $data;
        while (!$this->inBody) {
            $end = strpos($this->received, "\r\n\r\n", $this->at);
            if ($end === false || $end - $this->at > self::MAX_HEAD) {
                if (strlen($this->received) - $this->at > self::MAX_HEAD) {
                    throw new Unreachable('the header of the answer of the decision point is too long');
                }
                if (!str_starts_with('HTTP/1.', substr($this->received, $this->at, 7))) {
                    throw self::notHttp();
                }
                return;
            }
            $head = substr($this->received, $this->at, $end - $this->at);
            $this->at = $end + 4;
            $this->head($head);
        }
        $this->received = substr($this->received, $this->at);
        $this->at = 0;
        if ($this->chunked) {
            $this->chunks();
        } elseif ($this->length !== null) {
            if (strlen($this->received) >= $this->length) {
                $this->finish(substr($this->received, 0, $this->length), strlen($this->received) === $this->length);
            }
        } elseif (strlen($this->received) > $this->maxBody) {
            throw $this->tooLarge();
        }
    }

    /** Takes the end of the connection. */
    public function end(): void
    {
        if (!$this->inBody || $this->chunked || $this->length !== null) {
            throw new Unreachable('the decision point broke off the connection');
        }
        $this->finish($this->received, false);
    }

    private function head(string $head): void
    {
        $lines = explode("\r\n", $head);
        if (preg_match('~\AHTTP/1\.([01]) ([1-9][0-9]{2})(?: [\t -\~\x80-\xff]*+)?\z~', $lines[0], $status) !== 1) {
            throw self::notHttp();
        }
        $fields = [];
        foreach (array_slice($lines, 1) as $line) {
            [$name, $value] = explode(':', $line, 2) + [1 => null];
            if ($value === null || preg_match('/\A[!#$%&\'*+\-.^_`|~0-9A-Za-z]++\z/', $name) !== 1) {
                throw self::notHttp();
            }
            $value = trim($value, " \t");
            if (preg_match('/\A[\t -~\x80-\xff]*+\z/', $value) !== 1) {
                throw self::notHttp();
            }
            $fields[strtolower($name)][] = $value;
        }
        $code = (int) $status[2];
        if ($code >= 100 && $code < 200 && $code !== 101) {
            if (++$this->interim > self::MAX_INTERIM) {
                throw new Unreachable('the decision point sent too many interim answers');
            }
            return;
        }
        $this->check($code, $fields);
        $this->frame($fields);
        $options = strtolower(implode(',', $fields['connection'] ?? []));
        $this->keep = $status[1] === '1' && !str_contains($options, 'close');
        $this->inBody = true;
    }

    /** Checks everything about an answer but its body.
     *
     * @param array<string, list<string>> $fields by names in lower case
     * @throws NoAnswer
     */
    public function check(int $code, array $fields): void
    {
        if (!in_array($code, $this->statuses, true)) {
            throw new BadStatus($code);
        }
        $this->status = $code;
        $types = $fields['content-type'] ?? [];
        if (count($types) !== 1 || preg_match($this->type, $types[0]) !== 1) {
            throw new NoAnswer('the decision point sent something else than application/json');
        }
        if (isset($fields['content-encoding'])) {
            throw new NoAnswer('the decision point sent an encoded answer, which was not asked for');
        }
        $ids = $fields['x-request-id'] ?? [];
        if ($this->requestId !== '' && $ids !== [] && $ids !== [$this->requestId]) {
            throw new NoAnswer('the decision point answered another request');
        }
    }

    /** Finds out where the body ends.
     *
     * @param array<string, list<string>> $fields
     */
    private function frame(array $fields): void
    {
        $lengths = $fields['content-length'] ?? [];
        $codings = $fields['transfer-encoding'] ?? [];
        if ($codings !== []) {
            if ($lengths !== [] || array_map(strtolower(...), $codings) !== ['chunked']) {
                throw self::notHttp();
            }
            $this->chunked = true;
        } elseif ($lengths !== []) {
            if (count($lengths) !== 1 || preg_match('/\A[0-9]{1,18}\z/', $lengths[0]) !== 1) {
                throw self::notHttp();
            }
            $this->length = (int) $lengths[0];
            if ($this->length > $this->maxBody) {
                throw $this->tooLarge();
            }
        }
    }

    private function chunks(): void
    {
        while (true) {
            if ($this->state === 'data') {
                $piece = substr($this->received, $this->at, $this->chunk);
                $this->body .= $piece;
                $this->at += strlen($piece);
                $this->chunk -= strlen($piece);
                if ($this->chunk > 0) {
                    return;
                }
                $this->state = 'end';
            }
            $end = strpos($this->received, "\r\n", $this->at);
            if ($end === false) {
                if (strlen($this->received) - $this->at > self::MAX_HEAD) {
                    throw self::notHttp();
                }
                return;
            }
            $line = substr($this->received, $this->at, $end - $this->at);
            $this->at = $end + 2;
            if ($this->state === 'end') {
                if ($line !== '') {
                    throw self::notHttp();
                }
                $this->state = 'size';
            } elseif ($this->state === 'size') {
                $this->size($line);
            } elseif ($line === '') {
                $this->finish($this->body, $this->at === strlen($this->received));
                return;
            } else {
                throw new Unreachable('the decision point sent fields after the body of its answer');
            }
        }
    }

    private function size(string $line): void
    {
        if (preg_match('/\A([0-9a-fA-F]{1,8})[ \t]*+(?:;[\t -~\x80-\xff]*+)?\z/', $line, $size) !== 1) {
            throw self::notHttp();
        }
        $this->chunk = (int) hexdec($size[1]);
        if (strlen($this->body) + $this->chunk > $this->maxBody) {
            throw $this->tooLarge();
        }
        $this->state = $this->chunk > 0 ? 'data' : 'trailer';
    }

    private function finish(string $body, bool $exact): void
    {
        $this->body = $body;
        $this->complete = true;
        $this->reusable = $this->keep && $exact;
    }

    private function tooLarge(): NoAnswer
    {
        return new NoAnswer("the answer of the decision point is larger than $this->maxBody bytes");
    }

    private static function notHttp(): Unreachable
    {
        // It has nothing of what was received, which may name persons (PEP-11).
        return new Unreachable(
            'the connection to the decision point failed, or something else than HTTP was received (with https: than TLS)'
        );
    }
}
