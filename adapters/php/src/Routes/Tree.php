<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Routes;

/** Finds the first route that matches a request. It stands for the segments that lead to it.
 *
 * @internal
 */
final class Tree
{
    /** @var array<string, self> */
    private array $literals = [];
    private ?self $parameter = null;
    /** @var list<Route> routes whose template ends here, in the file's order */
    private array $ends = [];
    /** @var list<Route> routes whose template continues with a rest, in the file's order */
    private array $rests = [];

    /** @param int $first the lowest index of a route here or below */
    public function __construct(private readonly int $first = 0)
    {
    }

    /** Adds a route. Routes come in the file's order. */
    public function insert(Route $route): void
    {
        $node = $this;
        foreach ($route->template->segments ?? [] as [$kind, $text]) {
            if ($kind === Template::REST) {
                $node->rests[] = $route;
                return;
            }
            $node = $kind === Template::PARAMETER
                ? $node->parameter ??= new self($route->index)
                : $node->literals['/' . $text] ??= new self($route->index);
        }
        $node->ends[] = $route;
    }

    /** Returns the first route that matches the rest of a path: $best, or one before it.
     *
     * @param list<string> $parts
     */
    public function find(array $parts, string $host, string $method, ?Route $best = null): ?Route
    {
        if ($best !== null && $best->index < $this->first) {
            return $best;
        }
        if ($parts === []) {
            return self::earliest($this->ends, $host, $method, $best);
        }
        $best = self::earliest($this->rests, $host, $method, $best);
        $part = array_shift($parts);
        $child = $this->literals['/' . $part] ?? null;
        $best = $child === null ? $best : $child->find($parts, $host, $method, $best);
        return $this->parameter === null || $part === '' ? $best : $this->parameter->find($parts, $host, $method, $best);
    }

    /** Returns the routes whose template matches every path that the rest of a template matches.
     *
     * @param list<array{string, string}> $segments
     * @return list<Route>
     */
    public function covering(array $segments): array
    {
        if ($segments === []) {
            return $this->ends;
        }
        $routes = $this->rests;
        [$kind, $text] = array_shift($segments);
        if ($kind === Template::LITERAL && isset($this->literals['/' . $text])) {
            array_push($routes, ...$this->literals['/' . $text]->covering($segments));
        }
        if ($this->parameter !== null && ($kind === Template::PARAMETER || ($kind === Template::LITERAL && $text !== ''))) {
            array_push($routes, ...$this->parameter->covering($segments));
        }
        return $routes;
    }

    /** @param list<Route> $candidates */
    private static function earliest(array $candidates, string $host, string $method, ?Route $best): ?Route
    {
        foreach ($candidates as $route) {
            if ($best !== null && $route->index > $best->index) {
                return $best;
            }
            if ($route->takes($host, $method)) {
                return $route;
            }
        }
        return $best;
    }
}
