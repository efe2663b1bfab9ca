<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Routes;

/** Header fields: what could make the application take a request for another one, and values that a question draws. */
final class Headers
{
    /** The prefix of the fields in which a proxy tells the application what was decided. */
    public const OURS = 'X-Wardkeeper-';

    // They make some applications act on another method or path than the request's.
    public const REFUSED = ['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override', 'X-Original-URL', 'X-Rewrite-URL'];
    // In these, proxies usually name the person. They overwrite this spelling alone.
    private const IDENTITY = ['X-Remote-User', 'Remote-User', 'X-Forwarded-User'];
    // Proxies act on these, so that the application may get other values than those judged.
    public const UNDRAWABLE = [
        'Authorization', 'Connection', 'Content-Length', 'Cookie', 'Host', 'Proxy-Authorization', 'TE', 'Trailer',
        'Transfer-Encoding', 'Upgrade',
    ];
    // Proxies and adapters set these themselves.
    public const REPLACED = ['X-Forwarded-Method', 'X-Forwarded-Uri', 'X-Forwarded-Host', 'X-Request-ID'];

    /** @param list<array{string, string}> $fields names and values in their order. Names may be in any case */
    public function __construct(public readonly array $fields)
    {
    }

    /** Returns a text that two names share exactly if some application could take one field for the other.
     *
     * Case is ignored, and every character but letters and digits is a hyphen: CGI and its successors make them underscores.
     */
    public static function folded(string $name): string
    {
        return (string) preg_replace('/[^a-z0-9]/', '-', strtolower($name));
    }

    /** Tells whether some application could take a field for one of others.
     *
     * @param list<string> $others
     */
    public static function isAny(string $name, array $others): bool
    {
        return in_array(self::folded($name), array_map(self::folded(...), $others), true);
    }

    /** Tells whether an application could take a field for one that only the proxy may send. */
    public static function isReserved(string $name): bool
    {
        return str_starts_with(self::folded($name), self::folded(self::OURS));
    }

    /** Refuses fields that could make the application take the request for another one, or for another person's.
     *
     * @throws RouteError
     */
    public function check(): void
    {
        foreach ($this->fields as [$name, $value]) {
            if (self::isReserved($name)) {
                throw RouteError::badRequest(
                    'The request has a header that only the proxy may set: leave out those that begin with ' . self::OURS . '.'
                );
            }
            $same = self::folded($name);
            foreach (self::REFUSED as $refused) {
                if ($same === self::folded($refused)) {
                    throw RouteError::badRequest("The request has the header $refused: send the request that is meant.");
                }
            }
            foreach ([...self::UNDRAWABLE, ...self::IDENTITY] as $meant) {
                if ($same === self::folded($meant) && strtolower($name) !== strtolower($meant)) {
                    throw RouteError::badRequest(
                        "The request has the header $meant in another spelling: some programs take it for that."
                    );
                }
            }
            self::checkConnection(strtolower($name), strtolower($value));
        }
    }

    private static function checkConnection(string $name, string $value): void
    {
        if ($name === 'trailer') { // some programs merge them
            throw RouteError::badRequest('The request announces trailers: send all headers before the body.');
        }
        if ($name === 'upgrade' && str_contains($value, 'h2c')) {
            throw RouteError::badRequest(
                'The request asks for HTTP/2 without TLS (Upgrade: h2c): what follows would not be judged.'
            );
        }
        if ($name !== 'connection') {
            return;
        }
        foreach (explode(',', $value) as $option) { // a proxy drops those that it names on the way to the application
            if (!in_array(trim($option, " \t"), ['', 'close', 'keep-alive', 'upgrade', 'te'], true)) {
                throw RouteError::badRequest('The Connection header names a header: send close, keep-alive or upgrade.');
            }
        }
    }

    /** Returns the values of a field.
     *
     * @param string $name in lower case
     * @return list<string>
     */
    public function values(string $name): array
    {
        $values = [];
        foreach ($this->fields as [$key, $value]) {
            if (strtolower($key) === $name) {
                $values[] = $value;
            }
        }
        return $values;
    }

    /** Returns the only value of a field, or null.
     *
     * @throws RouteError if it is there twice or in another spelling
     */
    public function one(string $name): ?string
    {
        $found = null;
        foreach ($this->fields as [$key, $value]) {
            if (self::folded($key) !== self::folded($name)) {
                continue;
            }
            if ($found !== null || strtolower($key) !== strtolower($name)) {
                throw RouteError::badRequest("The header $name is there twice or in another spelling: send it once.");
            }
            $found = $value;
        }
        return $found;
    }

    /** Returns the value of a field that a question draws from, or null.
     *
     * @throws RouteError
     */
    public function drawn(string $name): ?string
    {
        $value = $this->one($name);
        if ($value === null) {
            return null;
        }
        if ($value === '') {
            throw RouteError::badRequest("The header $name is empty: send a value, or leave it out.");
        }
        if (str_contains($value, ',')) {
            throw RouteError::badRequest("The header $name has a comma, as if it had been sent several times: send one value.");
        }
        if (preg_match('/\A[ -~]++\z/', $value) !== 1 || $value !== trim($value, ' ')) {
            throw RouteError::badRequest(
                "The header $name has characters other than printable ASCII, or spaces around its value."
            );
        }
        return $value;
    }
}
