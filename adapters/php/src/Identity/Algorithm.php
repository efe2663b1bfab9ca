<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Identity;

/** Signature algorithms that verify with a public key (RFC 7518, RFC 8037).
 *
 * @internal
 */
final class Algorithm
{
    public const ALL = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];

    /** Bytes of each half of a signature, by the curve. */
    public const CURVES = ['ES256' => ['P-256', 32], 'ES384' => ['P-384', 48], 'ES512' => ['P-521', 66]];

    /** Tells whether a signature is that of a key. */
    public static function verifies(Key $key, string $algorithm, string $signed, string $signature): bool
    {
        if ($algorithm === 'EdDSA') {
            return strlen($signature) === SODIUM_CRYPTO_SIGN_BYTES
                && sodium_crypto_sign_verify_detached($signature, $signed, $key->material);
        }
        $hash = 'sha' . substr($algorithm, 2);
        if (str_starts_with($algorithm, 'PS')) {
            return self::verifiesPss($key->material, $hash, $signed, $signature);
        }
        if (str_starts_with($algorithm, 'ES')) {
            $size = self::CURVES[$algorithm][1];
            if (strlen($signature) !== 2 * $size) {
                return false;
            }
            $signature = Der::sequence(
                Der::integer(substr($signature, 0, $size)) . Der::integer(substr($signature, $size))
            );
        }
        $verified = openssl_verify($signed, $signature, $key->material, $hash);
        while (openssl_error_string() !== false) { // so that no other part of the application finds these
        }
        return $verified === 1;
    }

    /** Verifies RSASSA-PSS with MGF1 and a salt as long as the hash (RFC 8017 section 8.1.2), which openssl_verify cannot do. */
    private static function verifiesPss(string $pem, string $hash, string $signed, string $signature): bool
    {
        $key = openssl_pkey_get_public($pem);
        $bits = $key === false ? 0 : openssl_pkey_get_details($key)['bits'] ?? 0;
        if ($key === false || strlen($signature) !== intdiv($bits + 7, 8)) {
            return false;
        }
        $opened = openssl_public_decrypt($signature, $encoded, $key, OPENSSL_NO_PADDING);
        while (openssl_error_string() !== false) {
        }
        // The encoded message has one bit less than the modulus, so it may be a byte shorter.
        $length = intdiv($bits + 6, 8);
        if (!$opened || ltrim(substr($encoded, 0, strlen($encoded) - $length), "\0") !== '') {
            return false;
        }
        $encoded = substr($encoded, -$length);
        $size = strlen(hash($hash, '', true));
        $masked = substr($encoded, 0, $length - $size - 1);
        $digest = substr($encoded, $length - $size - 1, $size);
        $unused = 8 * $length - ($bits - 1); // bits at the left, which are zero
        if ($length < 2 * $size + 2 || !str_ends_with($encoded, "\xbc") || (ord($masked[0]) >> (8 - $unused)) !== 0) {
            return false;
        }
        $block = $masked ^ self::mask($hash, $digest, strlen($masked));
        $block[0] = chr(ord($block[0]) & (0xff >> $unused));
        $padding = str_repeat("\0", strlen($masked) - $size - 1) . "\x01";
        $salt = substr($block, strlen($padding));
        return substr($block, 0, strlen($padding)) === $padding
            && hash_equals($digest, hash($hash, str_repeat("\0", 8) . hash($hash, $signed, true) . $salt, true));
    }

    private static function mask(string $hash, string $seed, int $length): string
    {
        $mask = '';
        for ($i = 0; strlen($mask) < $length; $i++) {
            $mask .= hash($hash, $seed . pack('N', $i), true);
        }
        return substr($mask, 0, $length);
    }
}
