<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Routes;

use Wardkeeper\Pep\Json\Json;
use Wardkeeper\Pep\Json\MalformedJson;

/** Bodies that a question draws from.
 *
 * @internal
 */
final class Body
{
    public const MAX = 64 << 10; // bytes

    /** Returns the error for a body that is longer than the limit. */
    public static function tooLong(): RouteError
    {
        return RouteError::badRequest('The body is too long: send at most 64 KiB.');
    }

    /** Parses a body, which is not empty: uncompressed JSON in UTF-8.
     *
     * @throws RouteError
     */
    public static function parse(string $data, Headers $headers): mixed
    {
        $type = $headers->one('Content-Type') ?? '';
        if (($headers->one('Content-Encoding') ?? '') !== '') {
            throw RouteError::badRequest('The body is encoded (Content-Encoding): send it as it is.');
        }
        if (!self::isJson($type)) {
            throw RouteError::badRequest('The body is not JSON by its Content-Type: send application/json.');
        }
        try {
            return Json::parse($data, exact: true);
        } catch (MalformedJson $error) {
            throw RouteError::badRequest($error->getMessage());
        }
    }

    /** Tells whether a Content-Type is that of JSON, perhaps with the charset, and perhaps with a semicolon at the end.
     *
     * One expression for the whole would take quadratic time for blanks.
     */
    private static function isJson(string $type): bool
    {
        $parts = array_map(static fn (string $part) => strtolower(trim($part, " \t")), explode(';', ltrim($type, " \t"), 4));
        if (count($parts) > 1 && end($parts) === '') {
            array_pop($parts);
        }
        return array_shift($parts) === 'application/json'
            && ($parts === [] || $parts === ['charset=utf-8'] || $parts === ['charset="utf-8"']);
    }

    /** Follows a JSON pointer. It is null where there is nothing, or null.
     *
     * A member whose name differs from the wanted one only in case is an error: some programs take it for the wanted one.
     *
     * @param list<string> $pointer
     * @throws RouteError
     */
    public static function lookUp(mixed $body, array $pointer): mixed
    {
        foreach ($pointer as $token) {
            if ($body instanceof \stdClass) {
                $members = get_object_vars($body);
                foreach (array_keys($members) as $name) {
                    if ((string) $name !== $token && preg_match('/\A' . preg_quote($token, '/') . '\z/iu', (string) $name) === 1) {
                        throw RouteError::badRequest("The body has the member $token in another spelling: send it as $token.");
                    }
                }
                $body = $members[$token] ?? null;
            } elseif (is_array($body) && preg_match('/\A(?:0|[1-9][0-9]{0,8})\z/', $token) === 1) {
                $body = $body[(int) $token] ?? null;
            } else {
                return null;
            }
        }
        return $body;
    }

    /** Decodes a JSON pointer (RFC 6901) that is not empty. It is null if the text is none.
     *
     * @return list<string>|null
     */
    public static function pointer(string $text): ?array
    {
        if (!str_starts_with($text, '/') || preg_match('/~(?![01])/', $text) === 1) {
            return null;
        }
        return array_map(
            static fn (string $token) => str_replace(['~1', '~0'], ['/', '~'], $token),
            explode('/', substr($text, 1))
        );
    }
}
