<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Identity;

/** Base64 for URLs, without padding (RFC 7515 section 2).
 *
 * @internal
 */
final class Base64Url
{
    /** Decodes a text. It is null if the text is not the one spelling of its bytes. */
    public static function decode(string $text): ?string
    {
        $bytes = preg_match('/\A[A-Za-z0-9\-_]*+\z/', $text) === 1 ? base64_decode(strtr($text, '-_', '+/'), true) : false;
        return $bytes === false || self::encode($bytes) !== $text ? null : $bytes;
    }

    public static function encode(string $bytes): string
    {
        return rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
    }
}
