<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Routes;

/** Request targets: one spelling, or none. */
final class Target
{
    public const MAX = 8 << 10; // bytes

    // What compatibility normalization, which some programs apply to paths, turns into text with a delimiter of paths.
    private const LOOKALIKES = '\x{037E}\x{2024}-\x{2026}\x{2047}-\x{2049}\x{2100}\x{2101}\x{2105}\x{2106}\x{33C2}\x{33C7}\x{33D8}'
        . '\x{FE14}\x{FE16}\x{FE19}\x{FE30}\x{FE52}\x{FE54}\x{FE56}\x{FE5F}\x{FE68}\x{FE6A}\x{FF03}\x{FF05}\x{FF0E}\x{FF0F}'
        . '\x{FF1B}\x{FF1F}\x{FF3C}\x{1F100}\x{2488}-\x{249B}';

    /**
     * @param string $path decoded; slashes in it only separate segments
     * @param string $query as it was received
     */
    private function __construct(public readonly string $path, public readonly string $query)
    {
    }

    /** Parses a request target as it was received.
     *
     * @throws RouteError
     */
    public static function of(string $raw): self
    {
        if (strlen($raw) > self::MAX) {
            throw RouteError::badRequest('The request target is too long: send at most 8 KiB.');
        }
        if (!str_starts_with($raw, '/')) {
            throw RouteError::badRequest('The request target is not a path: send it in origin form, beginning with a slash.');
        }
        if (preg_match('/[^!-~]/', $raw) === 1) {
            throw RouteError::badRequest(
                'The request target has a space, a control character or a character outside ASCII: percent-encode it as UTF-8.'
            );
        }
        if (str_contains($raw, '#')) {
            throw RouteError::badRequest('The request target has a fragment: leave it out.');
        }
        [$path, $query] = explode('?', $raw, 2) + [1 => ''];
        $decoded = self::decode($path);
        self::checkSegments($decoded);
        return new self($decoded, $query);
    }

    private static function decode(string $path): string
    {
        $plain = strspn($path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,=:@/%");
        if ($plain < strlen($path)) { // RFC 3986 section 3.3, without the semicolon
            throw RouteError::badRequest(match ($path[$plain]) {
                ';' => 'The path has a semicolon: programs disagree on whether a parameter begins there.',
                '\\' => 'The path has a backslash: programs disagree on whether it is a slash.',
                default => 'The path has a character that must be percent-encoded there.',
            });
        }
        if (!str_contains($path, '%')) {
            return $path;
        }
        $decoded = self::unescape($path);
        if ($decoded === null) {
            throw RouteError::badRequest(
                'The path has a percent sign without two hexadecimal digits after it: encode characters as %XX.'
            );
        }
        if (preg_match('/%(?:2f|5c|25|3b|3f|23)/i', $path) === 1) {
            throw RouteError::badRequest(
                'The path has an encoded slash, backslash, percent sign, semicolon, question mark or number sign: '
                . 'programs read it in different ways.'
            );
        }
        if (preg_match('//u', $decoded) !== 1) {
            throw RouteError::badRequest('The path is not valid UTF-8 after decoding: percent-encode characters as UTF-8.');
        }
        return $decoded;
    }

    /** Refuses segments that some programs skip, resolve or shorten, and characters that some take for others.
     *
     * @throws RouteError
     */
    public static function checkSegments(string $path): void
    {
        if (str_contains($path, '//')) {
            throw RouteError::badRequest('The path has an empty segment (//): send single slashes.');
        }
        foreach (explode('/', $path) as $segment) {
            if ($segment === '.' || $segment === '..') {
                throw RouteError::badRequest('The path has a dot segment: send the path that is meant.');
            }
            if (str_ends_with($segment, '.') || str_ends_with($segment, ' ')) {
                throw RouteError::badRequest('A segment of the path ends with a dot or a space: some programs drop it.');
            }
        }
        if (preg_match('/[\x00-\x1f\x7f]/', $path) === 1) {
            throw RouteError::badRequest('The path has an encoded control character.');
        }
        if (preg_match('/[\x{80}-\x{9f}\p{Zl}\p{Zp}' . self::LOOKALIKES . ']/u', $path) !== 0) {
            throw RouteError::badRequest(
                'The path has a character that some programs convert to a slash, a dot or another delimiter, or to a line break.'
            );
        }
    }

    /** Decodes %XX. It is null if a percent sign is not followed by two hexadecimal digits. */
    public static function unescape(string $text): ?string
    {
        return preg_match('/%(?![0-9A-Fa-f]{2})/', $text) === 1 ? null : rawurldecode($text);
    }
}
