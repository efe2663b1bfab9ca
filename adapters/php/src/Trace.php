<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

/** What identifies the request of a person: passed on to the decision point with every question (PEP-7).
 *
 * PHP handles one request at a time, so the current one is the process's. It is not for programs that handle several in fibers.
 */
final class Trace
{
    private const MAX_STATE = 2048; // bytes; at least 512 have to be passed on

    private static ?self $current = null;

    public function __construct(
        public readonly string $requestId = '',
        public readonly string $traceparent = '',
        public readonly string $tracestate = '',
    ) {
    }

    /** Returns the trace of a request. If it does not have exactly one id that can be logged and passed on, one is made.
     *
     * Several parents are none, and without a parent there is no state; the fields of the state are one list.
     *
     * @param callable(string): list<string> $values returns the values of a field by its name in lower case
     */
    public static function of(callable $values): self
    {
        $parents = $values('traceparent');
        $parent = count($parents) === 1 && self::isId($parents[0]) && !str_contains($parents[0], ',') ? $parents[0] : '';
        $state = '';
        if ($parent !== '') {
            $states = array_map(static fn (string $field) => trim($field, " \t,"), $values('tracestate'));
            $state = implode(',', array_filter($states, static fn (string $field) => $field !== ''));
            if (strlen($state) > self::MAX_STATE || strpbrk($state, "\r\n\0") !== false) {
                $state = '';
            }
        }
        $ids = $values('x-request-id');
        $id = count($ids) === 1 && self::isId($ids[0]) ? $ids[0] : bin2hex(random_bytes(16));
        return new self($id, $parent, $state);
    }

    /** Returns the trace of the request that is being handled. It is empty outside of one. */
    public static function current(): self
    {
        return self::$current ??= new self();
    }

    /** Passes a trace on with the questions that are asked from now on, and returns the one before. */
    public static function use(self $trace): self
    {
        $before = self::current();
        self::$current = $trace;
        return $before;
    }

    private static function isId(string $text): bool
    {
        return preg_match('/\A[!-~]{1,128}\z/', $text) === 1;
    }
}
