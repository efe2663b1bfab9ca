<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

/** Keeps PHP's warnings from the application's error handler, which may throw, and from its log.
 *
 * @internal
 */
final class Warnings
{
    /** Calls a function, and returns its result.
     *
     * @template T
     * @param callable(): T $do
     * @return T
     */
    public static function without(callable $do, ?string &$said = null): mixed
    {
        set_error_handler(static function (int $level, string $message) use (&$said): bool {
            $said = ($said ?? '') . $message . "\n";
            return true;
        });
        try {
            return $do();
        } finally {
            restore_error_handler();
        }
    }
}
