<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Identity;

/** The few forms of ASN.1's distinguished encoding that keys and signatures are made of.
 *
 * @internal
 */
final class Der
{
    public static function sequence(string $content): string
    {
        return self::tagged("\x30", $content);
    }

    /** Encodes a whole number of big-endian bytes, which is not negative. */
    public static function integer(string $bytes): string
    {
        $bytes = ltrim($bytes, "\0");
        return self::tagged("\x02", $bytes === '' || ord($bytes[0]) > 0x7f ? "\0" . $bytes : $bytes);
    }

    public static function bits(string $bytes): string
    {
        return self::tagged("\x03", "\0" . $bytes);
    }

    /** Encodes a public key (RFC 5280 section 4.1.2.7) as PEM.
     *
     * @param string $algorithm the encoded members of its AlgorithmIdentifier
     */
    public static function publicKey(string $algorithm, string $key): string
    {
        $der = self::sequence(self::sequence($algorithm) . self::bits($key));
        return "-----BEGIN PUBLIC KEY-----\n" . chunk_split(base64_encode($der), 64, "\n") . "-----END PUBLIC KEY-----\n";
    }

    private static function tagged(string $tag, string $content): string
    {
        $length = strlen($content);
        if ($length < 0x80) {
            return $tag . chr($length) . $content;
        }
        $bytes = ltrim(pack('N', $length), "\0");
        return $tag . chr(0x80 | strlen($bytes)) . $bytes . $content;
    }
}
