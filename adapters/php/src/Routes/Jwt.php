<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Routes;

/** How the token of the person is verified. */
final class Jwt
{
    /**
     * @param string $keys the URL of the key set; empty if $keysFile is set
     * @param list<string> $algorithms
     * @param string $claim the claim that is the id of the person
     * @param string $cookie the cookie with the token; empty if it is in the Authorization field
     */
    public function __construct(
        public readonly string $keys,
        public readonly string $keysFile,
        public readonly string $issuer,
        public readonly string $audience,
        public readonly array $algorithms,
        public readonly string $claim = 'sub',
        public readonly string $cookie = '',
    ) {
    }

    /** Returns the token of a request.
     *
     * @throws RouteError
     */
    public function token(Headers $headers): string
    {
        if ($this->cookie !== '') {
            return self::checked($this->fromCookie($headers));
        }
        [$scheme, $token] = explode(' ', $headers->one('Authorization') ?? '', 2) + [1 => ''];
        if (strtolower($scheme) !== 'bearer') {
            throw RouteError::unauthenticated('Nobody is signed in: send a token in the Authorization header, as Bearer.');
        }
        return self::checked($token);
    }

    /** Returns the person whom the claims of a verified token name.
     *
     * @param array<mixed> $claims
     * @throws RouteError
     */
    public function person(array $claims): string
    {
        try {
            return Value::convert($claims[$this->claim] ?? null, Form::Text);
        } catch (Unfit $problem) {
            throw RouteError::unauthenticated(
                "The claim $this->claim of the token {$problem->getMessage()}: it has to name the person."
            );
        }
    }

    /** Returns the value of the cookie, which is there once. HTTP/2 may split cookies over several fields. */
    private function fromCookie(Headers $headers): string
    {
        $token = null;
        foreach ($headers->values('cookie') as $line) {
            foreach (explode(';', $line) as $pair) {
                [$name, $value] = explode('=', $pair, 2) + [1 => ''];
                $name = trim($name, " \t");
                if (!Query::isSame(Query::decode($name), $this->cookie)) {
                    continue;
                }
                if ($token !== null || $name !== $this->cookie) {
                    throw RouteError::badRequest(
                        "The cookie $this->cookie is there twice or in another spelling: send it once."
                    );
                }
                $token = trim($value, " \t");
            }
        }
        return $token ?? throw RouteError::unauthenticated("Nobody is signed in: send the cookie $this->cookie.");
    }

    /** Checks that a token is not empty, and has only the characters of tokens (RFC 6750 section 2.1). */
    private static function checked(string $token): string
    {
        if (preg_match('~\A[A-Za-z0-9\-._\~+/=]++\z~', $token) !== 1) {
            throw RouteError::unauthenticated('The token is not valid: sign in again.');
        }
        return $token;
    }
}
