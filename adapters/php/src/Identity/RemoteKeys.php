<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Identity;

use Wardkeeper\Pep\Cache;
use Wardkeeper\Pep\Http\Address;
use Wardkeeper\Pep\Http\Answer;
use Wardkeeper\Pep\Http\Broke;
use Wardkeeper\Pep\Http\Connection;
use Wardkeeper\Pep\Json\Json;
use Wardkeeper\Pep\Json\MalformedJson;
use Wardkeeper\Pep\NoAnswer;
use Wardkeeper\Pep\Routes\Parser;

/** A key set that is fetched, at most once in 15 seconds by all processes of a user.
 *
 * Tokens with invented key ids cannot cause more.
 */
final class RemoteKeys implements Keys
{
    private const REFRESH_AFTER = 600; // seconds: older keys are fetched again, and used meanwhile
    private const FORGET_AFTER = 24 * 3600; // older keys are no longer used
    private const RETRY_AFTER = 15; // the least time between fetches
    private const FETCH_TIMEOUT = 5.0;
    private const MAX_WAIT = 1.0; // for a fetch of another process
    private const TYPE = '~\Aapplication/(?:jwk-set\+)?json(?:[ \t]*+;[ \t]*+charset=(?:utf-8|"utf-8"))?\z~i';

    private readonly \Closure $now;

    /**
     * @param string $url https, or http of this machine
     * @param string $caFile the certificate authorities; empty for those of the system
     * @param (\Closure(): int)|null $now the time in seconds
     */
    public function __construct(
        private readonly string $url,
        private readonly Cache $cache = new Cache(),
        private readonly string $caFile = '',
        ?\Closure $now = null,
    ) {
        if (!Parser::isKeysUrl($url)) {
            throw new \InvalidArgumentException('the URL of the keys is not one of https (or of http at this machine)');
        }
        $this->now = $now ?? time(...);
    }

    public function find(string $algorithm, string $id): array
    {
        $file = $this->cache->open(hash('sha256', $this->url . "\n" . $this->caFile));
        if ($file === null) {
            throw new KeysUnavailable();
        }
        $known = self::read($file, LOCK_SH);
        $found = $this->matching($known, $algorithm, $id);
        if ($found !== [] && ($this->now)() - $known['fetched'] <= self::REFRESH_AFTER) {
            return $found;
        }
        $known = $this->refreshed($file, $known, $found === []);
        $found = $this->matching($known, $algorithm, $id) ?: $found;
        if ($found !== []) {
            return $found;
        }
        // While the keys cannot be fetched, the missing one may be a new one of the issuer.
        if ($known['failed'] || $known['keys'] === '') {
            throw new KeysUnavailable();
        }
        throw new TokenInvalid('the issuer has no such key as the token names');
    }

    /** Fetches the keys, or waits for another process that does, if one is needed.
     *
     * @param resource $file
     * @param array{keys: string, fetched: int, tried: int, failed: bool} $known
     * @return array{keys: string, fetched: int, tried: int, failed: bool}
     */
    private function refreshed($file, array $known, bool $needed): array
    {
        $deadline = Connection::now() + self::MAX_WAIT;
        $lock = $this->fetching();
        while ($lock === null || !flock($lock, LOCK_EX | LOCK_NB)) {
            if (!$needed) {
                return $known;
            }
            if ($lock === null || Connection::now() > $deadline) {
                throw new KeysUnavailable();
            }
            usleep(10_000);
        }
        try {
            $known = self::read($file, LOCK_SH);
            if (($this->now)() - $known['tried'] < self::RETRY_AFTER) {
                return $known;
            }
            // Written before, so that a fetch that ends this process is not tried at once by the next.
            $known = ['tried' => ($this->now)(), 'failed' => true] + $known;
            self::write($file, $known);
            try {
                $keys = $this->fetch();
                Key::set($keys);
                $known = ['keys' => $keys, 'fetched' => ($this->now)(), 'failed' => false] + $known;
                self::write($file, $known);
            } catch (NoAnswer | Broke | KeySetError) { // the log of the refusal tells that they are not available
            }
            return $known;
        } finally {
            flock($lock, LOCK_UN);
        }
    }

    /** @return resource|null */
    private function fetching()
    {
        return $this->cache->open(hash('sha256', $this->url . "\n" . $this->caFile) . '.lock');
    }

    /** Fetches the key set. No redirect is followed: all trust rests on the keys, so they come from the configured URL alone. */
    private function fetch(): string
    {
        $parts = parse_url($this->url);
        $path = ($parts['path'] ?? '/') . (isset($parts['query']) ? '?' . $parts['query'] : '');
        $address = Address::of($parts['scheme'] . '://' . $parts['host'] . (isset($parts['port']) ? ':' . $parts['port'] : ''));
        $deadline = Connection::now() + self::FETCH_TIMEOUT;
        $answer = new Answer('', Key::MAX_SET, self::TYPE);
        $fields = ['Accept' => 'application/jwk-set+json, application/json', 'Connection' => 'close'];
        Connection::open($address, $this->caFile, false, $deadline)
            ->exchange($address->request('GET', $path, $fields, ''), $answer, $deadline);
        return $answer->body;
    }

    /**
     * @param array{keys: string, fetched: int, tried: int, failed: bool} $known
     * @return list<Key>
     */
    private function matching(array $known, string $algorithm, string $id): array
    {
        if ($known['keys'] === '' || ($this->now)() - $known['fetched'] > self::FORGET_AFTER) {
            return [];
        }
        try {
            $keys = Key::set($known['keys']);
        } catch (KeySetError) {
            return [];
        }
        return array_values(array_filter($keys, static fn (Key $key) => $key->fits($algorithm, $id)));
    }

    /**
     * @param resource $file
     * @return array{keys: string, fetched: int, tried: int, failed: bool}
     */
    private static function read($file, int $lock): array
    {
        flock($file, $lock);
        rewind($file);
        $data = (string) stream_get_contents($file, 2 * Key::MAX_SET);
        flock($file, LOCK_UN);
        try {
            $known = $data === '' ? [] : Json::parseObject($data);
        } catch (MalformedJson) {
            $known = [];
        }
        return [
            'keys' => is_string($known['keys'] ?? null) ? $known['keys'] : '',
            'fetched' => is_int($known['fetched'] ?? null) ? $known['fetched'] : 0,
            'tried' => is_int($known['tried'] ?? null) ? $known['tried'] : 0,
            'failed' => ($known['failed'] ?? false) === true,
        ];
    }

    /**
     * @param resource $file
     * @param array{keys: string, fetched: int, tried: int, failed: bool} $known
     */
    private static function write($file, array $known): void
    {
        flock($file, LOCK_EX);
        ftruncate($file, 0);
        rewind($file);
        fwrite($file, Json::encode($known));
        fflush($file);
        flock($file, LOCK_UN);
    }
}
