<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Routes;

/** Hosts, as requests are compared with them.
 *
 * @internal
 */
final class Host
{
    private const MAX = 255 + 6; // with a port

    /** Returns the host of a request in lower case, without its port.
     *
     * @param list<string> $values of the Host field
     * @throws RouteError
     */
    public static function canonical(array $values): string
    {
        if (count($values) !== 1 || $values[0] === '') {
            throw RouteError::badRequest('The request has no host, or more than one: send the Host header once.');
        }
        if (
            strlen($values[0]) > self::MAX
            || preg_match('/\A(\[[^\[\]]*+\]|[^:\[\]]*+)(?::[0-9]{1,5})?\z/', $values[0], $match) !== 1
            || !self::isHost($match[1])
        ) {
            throw RouteError::badRequest(
                'The host is not a name or an address: send a name without a trailing dot, and at most a port after it.'
            );
        }
        return strtolower($match[1]);
    }

    /** Tells whether this is a name of letters, digits, hyphens and underscores with dots between, or an address. */
    private static function isHost(string $host): bool
    {
        if (str_starts_with($host, '[')) {
            return filter_var(substr($host, 1, -1), FILTER_VALIDATE_IP, FILTER_FLAG_IPV6) !== false;
        }
        return preg_match('/\A[A-Za-z0-9\-_]++(?:\.[A-Za-z0-9\-_]++)*+\z/', $host) === 1;
    }
}
