<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Routes;

/** Parameters of the query: one value, or none.
 *
 * @internal
 */
final class Query
{
    public const METHOD = '_method';

    /** Returns the value of a parameter, or null. A second one is an error, and one that only some programs take for it.
     *
     * The query must have passed check.
     *
     * @throws RouteError
     */
    public static function parameter(string $query, string $name): ?string
    {
        $value = null;
        foreach (explode('&', $query) as $pair) {
            [$rawName, $rawValue] = explode('=', $pair, 2) + [1 => ''];
            if (!self::isSame(self::decode($rawName), $name)) {
                continue;
            }
            if ($value !== null) {
                throw RouteError::badRequest("The query parameter $name is there twice: send it once.");
            }
            if (self::decode($rawName) !== $name || str_contains($rawName, '+')) {
                throw RouteError::badRequest("The query parameter $name is there in another spelling: send it as $name.");
            }
            if (str_contains($rawValue, '+')) {
                throw RouteError::badRequest(
                    "The query parameter $name has a plus sign: send %20 for a space or %2B for a plus sign."
                );
            }
            if ($rawValue === '') {
                throw RouteError::badRequest("The query parameter $name is empty: send a value, or leave it out.");
            }
            $value = self::decode($rawValue);
        }
        return $value;
    }

    /** Refuses a query that programs could read in different ways.
     *
     * @throws RouteError
     */
    public static function check(string $query): void
    {
        if (str_contains($query, ';')) {
            throw RouteError::badRequest(
                'The query has a semicolon: programs disagree on whether a parameter begins there. Send %3B.'
            );
        }
        $decoded = Target::unescape($query);
        if ($decoded === null) {
            throw RouteError::badRequest(
                'The query has a percent sign without two hexadecimal digits after it: encode characters as %XX.'
            );
        }
        if (preg_match('//u', $decoded) !== 1) {
            throw RouteError::badRequest('The query is not valid UTF-8 after decoding: percent-encode characters as UTF-8.');
        }
        if (Value::hasControl($decoded)) {
            throw RouteError::badRequest('The query has an encoded control character.');
        }
    }

    /** Refuses a form beside a drawn parameter: many frameworks merge its fields with those of the query.
     *
     * @throws RouteError
     */
    public static function checkNoForm(Headers $headers): void
    {
        $type = strtolower(ltrim($headers->one('Content-Type') ?? '', " \t"));
        if (str_starts_with($type, 'application/x-www-form-urlencoded') || str_starts_with($type, 'multipart/')) {
            throw RouteError::badRequest(
                'The request has a form, whose fields some programs take for parameters of the query: send them in one place.'
            );
        }
    }

    /** Refuses a body with a member that is named like a drawn parameter: some frameworks merge those too.
     *
     * @param list<string> $drawn
     * @throws RouteError
     */
    public static function checkMembers(mixed $body, array $drawn): void
    {
        foreach ($body instanceof \stdClass ? array_keys(get_object_vars($body)) : [] as $member) {
            foreach ($drawn as $name) {
                if (self::isSame((string) $member, $name)) {
                    throw RouteError::badRequest(
                        "The body has a member with the name of the query parameter $name: send one of them."
                    );
                }
            }
        }
    }

    /** Tells whether the query has a parameter with which some frameworks override the method. */
    public static function overridesMethod(string $query): bool
    {
        foreach (explode('&', str_replace(';', '&', $query)) as $pair) {
            if ($pair !== '' && self::isSame(self::decode(explode('=', $pair, 2)[0]), self::METHOD)) {
                return true;
            }
        }
        return false;
    }

    /** Decodes a name or a value. If a percent sign is invalid, only plus signs are decoded. */
    public static function decode(string $text): string
    {
        $text = str_replace('+', ' ', $text);
        return Target::unescape($text) ?? $text;
    }

    /** Tells whether some program takes the parameter $received for $name.
     *
     * Ignoring case; with PHP's underscore for a dot, a space or a bracket; as an array or an object (name[], name[x], [name]); or
     * with spaces around it.
     */
    public static function isSame(string $received, string $name): bool
    {
        $received = trim($received, ' ');
        if (self::equal($received, $name)) {
            return true;
        }
        $received = ltrim($received, '[ ');
        $bracket = strcspn($received, "[]\0");
        return $bracket > 0 && $bracket < strlen($received) && self::equal(substr($received, 0, $bracket), $name);
    }

    private static function equal(string $a, string $b): bool
    {
        $folded = static fn (string $text) => strtolower(strtr($text, '. [+', '____'));
        if (strlen($a) === strlen($b) && $folded($a) === $folded($b)) {
            return true;
        }
        return preg_match('/[\x80-\xff]/', $a) === 1 && preg_match('/\A' . preg_quote($b, '/') . '\z/iu', $a) === 1;
    }
}
