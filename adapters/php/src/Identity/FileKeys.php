<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Identity;

use Wardkeeper\Pep\Warnings;

/** A key set in a file. In a process that handles many requests, it is read again when it changes; if a new one cannot be used, the
 * last good one is. */
final class FileKeys implements Keys
{
    /** @var list<Key> */
    private array $keys = [];
    private string $state = '';

    public function __construct(private readonly string $path)
    {
    }

    public function find(string $algorithm, string $id): array
    {
        clearstatcache(true, $this->path);
        $status = Warnings::without(fn () => stat($this->path)) ?: [];
        $state = implode(' ', [$status['mtime'] ?? 0, $status['ctime'] ?? 0, $status['size'] ?? 0, $status['ino'] ?? 0]);
        if ($state !== $this->state) { // one that cannot be used is read once, too
            $this->state = $state;
            $data = Warnings::without(fn () => file_get_contents($this->path, false, null, 0, Key::MAX_SET + 1));
            try {
                $this->keys = Key::set($data === false ? '' : $data);
            } catch (KeySetError) {
            }
        }
        if ($this->keys === []) {
            throw new KeysUnavailable();
        }
        $found = array_filter($this->keys, static fn (Key $key) => $key->fits($algorithm, $id));
        return array_values($found) ?: throw new TokenInvalid('the issuer has no such key as the token names');
    }
}
