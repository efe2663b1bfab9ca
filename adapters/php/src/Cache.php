<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

/** A folder for what the requests of persons share: the issuer's keys, and parsed route files. Each script starts anew.
 *
 * It trusts no folder that somebody else could write into.
 */
final class Cache
{
    private readonly string $folder;

    /**
     * @param string $folder is made if it is not there. If another user than the process's could write into it, it is not used, and
     *     keys are not available. By default it is one below that of temporary files
     */
    public function __construct(string $folder = '')
    {
        $this->folder = $folder === '' ? sys_get_temp_dir() . '/wardkeeper-pep-' . self::user() : $folder;
    }

    /** Opens a file for reading and writing. It is null if the folder cannot be used.
     *
     * @return resource|null
     */
    public function open(string $name)
    {
        return Warnings::without(function () use ($name) {
            mkdir($this->folder, 0700);
            clearstatcache(true, $this->folder);
            $folder = lstat($this->folder);
            if ($folder === false || ($folder['mode'] & 0170022) !== 0040000 || $folder['uid'] !== self::user()) {
                return null;
            }
            $before = umask(0077);
            $file = fopen($this->folder . '/' . $name, 'c+b');
            umask($before);
            return $file === false ? null : $file;
        });
    }

    /** Returns what put has kept under a name, or null. */
    public function get(string $name): ?string
    {
        $file = $this->open($name);
        $kept = $file === null ? false : stream_get_contents($file);
        return $kept === false || $kept === '' ? null : $kept;
    }

    /** Keeps a text, for whoever gets it at the same time as a whole. It is not an error if that is not possible. */
    public function put(string $name, string $text): void
    {
        $unique = $name . '.' . bin2hex(random_bytes(8));
        $file = $this->open($unique);
        if ($file !== null) {
            Warnings::without(function () use ($file, $unique, $name, $text): void {
                $whole = fwrite($file, $text) === strlen($text) && fclose($file);
                $whole ? rename("$this->folder/$unique", "$this->folder/$name") : unlink("$this->folder/$unique");
            });
        }
    }

    /** Returns the user that this process runs as: the owner of the files that it makes. */
    private static function user(): int
    {
        static $user = null;
        if ($user === null) {
            $file = Warnings::without(static fn () => tmpfile());
            $user = $file === false ? -1 : fstat($file)['uid'] ?? -1;
        }
        return $user;
    }
}
