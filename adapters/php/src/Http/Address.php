<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Http;

/** Where a server is, and how requests to it begin. */
final class Address
{
    private const FORMS = 'use http://HOST:PORT, https://HOST or unix:/PATH';

    private function __construct(
        public readonly string $host, // to connect to; empty for a Unix socket
        public readonly int $port,
        public readonly string $socket, // the path of a Unix socket, or empty
        public readonly bool $tls,
        public readonly string $authority, // of the Host field
        public readonly string $path, // without a slash at its end
    ) {
    }

    /** Parses the URL of a decision point. The message of the exception has no credentials.
     *
     * @throws \InvalidArgumentException with what to write instead
     */
    public static function of(string $url): self
    {
        if (str_starts_with($url, 'unix:')) {
            $path = substr($url, strlen('unix:'));
            if (!str_starts_with($path, '/') || str_starts_with($path, '//') || str_contains($path, "\0")) {
                throw new \InvalidArgumentException('the URL of the decision point has no absolute path: use unix:/PATH');
            }
            return new self('', 0, $path, false, 'localhost', '');
        }
        $parts = preg_match('/[^!-~]/', $url) === 1 ? false : parse_url($url);
        if ($parts === false || !in_array($parts['scheme'] ?? '', ['http', 'https'], true) || ($parts['host'] ?? '') === '') {
            throw new \InvalidArgumentException('the URL of the decision point is not that of a server: ' . self::FORMS);
        }
        if (isset($parts['user']) || isset($parts['pass']) || str_contains($url, '?') || str_contains($url, '#')) {
            throw new \InvalidArgumentException(
                'the URL of the decision point has more than a scheme, a host and a path: give credentials as token'
            );
        }
        $tls = $parts['scheme'] === 'https';
        $authority = $parts['host'] . (isset($parts['port']) ? ':' . $parts['port'] : '');
        return new self(
            trim($parts['host'], '[]'),
            $parts['port'] ?? ($tls ? 443 : 80),
            '',
            $tls,
            $authority,
            rtrim($parts['path'] ?? '', '/')
        );
    }

    /** Returns the origin of its URLs. */
    public function origin(): string
    {
        return ($this->tls ? 'https://' : 'http://') . $this->authority;
    }

    /** Returns the text of a request.
     *
     * @param array<string, string> $fields
     * @throws \InvalidArgumentException if a field or the path has a character that would end it
     */
    public function request(string $method, string $path, array $fields, string $body): string
    {
        $fields = ['Host' => $this->authority] + $fields + ($method === 'POST' ? ['Content-Length' => (string) strlen($body)] : []);
        $text = "$method $path HTTP/1.1\r\n";
        foreach ($fields as $name => $value) {
            if (preg_match('/\A[\t -~\x80-\xff]*+\z/', $value) !== 1) {
                throw new \InvalidArgumentException('a field of the request cannot be sent');
            }
            $text .= "$name: $value\r\n";
        }
        if (preg_match('/\A[!-~]++\z/', $path) !== 1) {
            throw new \InvalidArgumentException('the path of the request cannot be sent');
        }
        return $text . "\r\n" . $body;
    }
}
