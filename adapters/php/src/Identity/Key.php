<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Identity;

use Wardkeeper\Pep\Json\Json;
use Wardkeeper\Pep\Json\MalformedJson;

/** A public key of a JSON Web Key Set (RFC 7517).
 *
 * @internal
 */
final class Key
{
    public const MAX_SET = 256 << 10; // bytes

    private const MAX_KEYS = 100;
    private const MIN_RSA = 2048; // bits
    private const RSA = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
    private const EC = "\x06\x07\x2a\x86\x48\xce\x3d\x02\x01";
    private const CURVES = [
        'P-256' => "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07",
        'P-384' => "\x06\x05\x2b\x81\x04\x00\x22",
        'P-521' => "\x06\x05\x2b\x81\x04\x00\x23",
    ];

    /**
     * @param string $type RSA, Ed25519 or the curve
     * @param string $material PEM; of Ed25519 the bytes
     * @param string $id empty if the set does not say
     * @param string $algorithm empty if the set does not say
     */
    private function __construct(
        public readonly string $type,
        public readonly string $material,
        private readonly string $id,
        private readonly string $algorithm,
    ) {
    }

    /** Reads a key set, and keeps the public keys that can verify signatures. Keys of types that are not known are skipped.
     *
     * @return non-empty-list<self>
     * @throws KeySetError
     */
    public static function set(string $data): array
    {
        if (strlen($data) > self::MAX_SET) {
            throw new KeySetError('it is larger than ' . self::MAX_SET . ' bytes');
        }
        try {
            $entries = Json::parseObject($data)['keys'] ?? null;
        } catch (MalformedJson) {
            $entries = null;
        }
        if (!is_array($entries)) {
            throw new KeySetError('it is not a JSON Web Key Set');
        }
        if (count($entries) > self::MAX_KEYS) {
            throw new KeySetError('it has more than ' . self::MAX_KEYS . ' keys');
        }
        $keys = array_values(array_filter(array_map(
            static fn ($entry) => $entry instanceof \stdClass ? self::of(get_object_vars($entry)) : null,
            $entries
        )));
        return $keys ?: throw new KeySetError('it has no public key that can verify a signature');
    }

    /** Tells whether the key may have made a signature. */
    public function fits(string $algorithm, string $id): bool
    {
        $type = match (substr($algorithm, 0, 2)) {
            'RS', 'PS' => 'RSA',
            'ES' => Algorithm::CURVES[$algorithm][0],
            default => 'Ed25519',
        };
        return $this->type === $type && ($id === '' || $this->id === $id) && in_array($this->algorithm, ['', $algorithm], true);
    }

    /** Returns a key. A private or symmetric one, which an issuer must not publish, is none, and neither is a short one.
     *
     * @param array<mixed> $entry
     */
    private static function of(array $entry): ?self
    {
        $operations = $entry['key_ops'] ?? ['verify'];
        [$id, $algorithm] = [$entry['kid'] ?? '', $entry['alg'] ?? ''];
        if (
            ($entry['use'] ?? 'sig') !== 'sig' || !is_array($operations) || !in_array('verify', $operations, true)
            || !is_string($id) || !is_string($algorithm)
            || array_intersect_key($entry, ['d' => 0, 'k' => 0, 'p' => 0, 'q' => 0]) !== []
        ) {
            return null;
        }
        $member = static fn (string $name) => is_string($entry[$name] ?? null) ? Base64Url::decode($entry[$name]) ?? '' : '';
        $curve = is_string($entry['crv'] ?? null) ? $entry['crv'] : '';
        [$type, $material] = match ($entry['kty'] ?? null) {
            'RSA' => ['RSA', self::rsa($member('n'), $member('e'))],
            'EC' => [$curve, self::ec($curve, $member('x'), $member('y'))],
            'OKP' => [$curve, self::ed25519($curve, $member('x'))],
            default => ['', null],
        };
        return $material === null ? null : new self($type, $material, $id, $algorithm);
    }

    private static function rsa(string $n, string $e): ?string
    {
        $pem = Der::publicKey(self::RSA, Der::sequence(Der::integer($n) . Der::integer($e)));
        $details = self::details($pem);
        return $e !== '' && ($details['bits'] ?? 0) >= self::MIN_RSA ? $pem : null;
    }

    private static function ec(string $curve, string $x, string $y): ?string
    {
        $size = array_column(Algorithm::CURVES, 1, 0)[$curve] ?? -1;
        if (strlen($x) !== $size || strlen($y) !== $size) {
            return null;
        }
        $pem = Der::publicKey(self::EC . self::CURVES[$curve], "\x04" . $x . $y);
        return self::details($pem) === [] ? null : $pem; // OpenSSL checks that the point is on the curve
    }

    private static function ed25519(string $curve, string $x): ?string
    {
        return $curve === 'Ed25519' && strlen($x) === 32 && function_exists('sodium_crypto_sign_verify_detached') ? $x : null;
    }

    /** @return array<mixed> what OpenSSL says of a key; nothing if it is none */
    private static function details(string $pem): array
    {
        $key = openssl_pkey_get_public($pem);
        $details = $key === false ? false : openssl_pkey_get_details($key);
        while (openssl_error_string() !== false) { // so that no other part of the application finds these
        }
        return $details === false ? [] : $details;
    }
}
