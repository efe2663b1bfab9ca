<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Identity;

use Wardkeeper\Pep\Warnings;

/** A folder for what the requests of persons share: each is handled by a script that starts anew.
 *
 * It trusts no folder that somebody else could write into: all trust rests on the keys.
 */
final class Cache
{
    private readonly string $folder;

    /** @param string $folder is made if it is not there; by default one below that of temporary files */
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
