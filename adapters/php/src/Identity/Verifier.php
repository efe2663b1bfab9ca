<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Identity;

use Wardkeeper\Pep\Cache;
use Wardkeeper\Pep\Json\Json;
use Wardkeeper\Pep\Json\MalformedJson;
use Wardkeeper\Pep\Routes\Jwt;

/** Verifies JSON Web Tokens with the public keys of their issuer (PEP-13). It needs ext-openssl, and ext-sodium for EdDSA. */
final class Verifier
{
    private const MAX_TOKEN = 16 << 10; // bytes
    private const MAX_TIME = 1 << 40; // seconds

    private readonly \Closure $now;

    /**
     * @param Keys $keys of the issuer
     * @param string $issuer the required value of iss
     * @param string $audience the required value of aud, or one of its values
     * @param list<string> $algorithms those that are accepted, such as ES256
     * @param int $leeway seconds by which clocks may differ
     * @param (\Closure(): int)|null $now the time in seconds since 1970
     */
    public function __construct(
        private readonly Keys $keys,
        private readonly string $issuer,
        private readonly string $audience,
        private readonly array $algorithms,
        private readonly int $leeway = 60,
        ?\Closure $now = null,
    ) {
        if ($issuer === '' || $audience === '' || $algorithms === []) {
            throw new \InvalidArgumentException('the issuer, the audience and the algorithms are required');
        }
        if (array_diff($algorithms, Algorithm::ALL) !== []) {
            throw new \InvalidArgumentException('an algorithm is not accepted: use ' . implode(', ', Algorithm::ALL));
        }
        $this->now = $now ?? time(...);
    }

    /** Returns a verifier of the tokens that a route file names.
     *
     * @param Cache $cache where fetched keys are kept for other requests
     */
    public static function of(Jwt $jwt, Cache $cache = new Cache()): self
    {
        $keys = $jwt->keys === '' ? new FileKeys($jwt->keysFile) : new RemoteKeys($jwt->keys, $cache);
        return new self($keys, $jwt->issuer, $jwt->audience, $jwt->algorithms);
    }

    /** Returns the claims of a token whose signature, issuer, audience and times are right.
     *
     * @return array<mixed>
     * @throws TokenInvalid
     * @throws KeysUnavailable if it cannot be found out now whether the token is valid
     */
    public function verify(#[\SensitiveParameter] string $token): array
    {
        if (strlen($token) > self::MAX_TOKEN) {
            throw new TokenInvalid('the token is too long');
        }
        $parts = explode('.', $token);
        if (count($parts) !== 3) {
            throw new TokenInvalid('the token does not have three parts');
        }
        [$algorithm, $id] = self::header($parts[0]);
        if (!in_array($algorithm, $this->algorithms, true)) {
            throw new TokenInvalid('the algorithm of the token is not accepted');
        }
        $signature = Base64Url::decode($parts[2]) ?? throw new TokenInvalid('the token is malformed');
        foreach ($this->keys->find($algorithm, $id) as $key) {
            if (Algorithm::verifies($key, $algorithm, "$parts[0].$parts[1]", $signature)) {
                return $this->claims($parts[1]);
            }
        }
        throw new TokenInvalid('the signature of the token is not valid');
    }

    /** Returns the algorithm and the key id. Keys, and URLs of keys, in the header are ignored: the sender has chosen them.
     *
     * @return array{string, string}
     */
    private static function header(string $part): array
    {
        $header = self::object($part) ?? throw new TokenInvalid('the header of the token is malformed');
        if (array_key_exists('crit', $header)) {
            throw new TokenInvalid('the token has an extension that is not known');
        }
        $id = $header['kid'] ?? '';
        $algorithm = $header['alg'] ?? '';
        if (!is_string($id) || !is_string($algorithm)) {
            throw new TokenInvalid('the header of the token is malformed');
        }
        $kind = $header['typ'] ?? 'JWT';
        if (!is_string($kind) || !in_array(strtolower($kind), ['jwt', 'at+jwt', 'application/at+jwt'], true)) {
            throw new TokenInvalid('the token is not an access token');
        }
        return [$algorithm, $id];
    }

    /** @return array<mixed> */
    private function claims(string $part): array
    {
        $claims = self::object($part) ?? throw new TokenInvalid('the claims of the token are malformed');
        if (($claims['iss'] ?? null) !== $this->issuer) {
            throw new TokenInvalid('the token is from another issuer');
        }
        $audiences = $claims['aud'] ?? null;
        if (!in_array($this->audience, is_array($audiences) ? $audiences : [$audiences], true)) {
            throw new TokenInvalid('the token is for another audience');
        }
        $now = ($this->now)();
        $expires = self::date($claims['exp'] ?? null) ?? throw new TokenInvalid('the token does not expire');
        if ($now >= $expires + $this->leeway) {
            throw new TokenInvalid('the token has expired');
        }
        foreach (['nbf', 'iat'] as $name) {
            $begins = isset($claims[$name]) ? self::date($claims[$name]) : 0;
            if ($begins === null || $now + $this->leeway < $begins) {
                throw new TokenInvalid('the token is not valid yet');
            }
        }
        return $claims;
    }

    /** Decodes a part of a token as strictly as a question.
     *
     * @return array<mixed>|null
     */
    private static function object(string $part): ?array
    {
        try {
            return Json::parseObject(Base64Url::decode($part) ?? '');
        } catch (MalformedJson) {
            return null;
        }
    }

    /** Reads seconds since 1970. */
    private static function date(mixed $value): int|float|null
    {
        return (is_int($value) || is_float($value)) && abs($value) <= self::MAX_TIME ? $value : null;
    }
}
