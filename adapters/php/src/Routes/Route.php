<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Routes;

/** A route of a file. It does not change once the file is parsed. */
final class Route
{
    /** The template, which may be logged. */
    public string $path = '';
    public bool $public = false;
    /** @var list<string> */
    public array $methods = [];
    /** Empty if any. */
    public string $host = '';
    /** @internal */
    public int $index = 0;
    /** @internal */
    public ?Template $template = null;
    /** @internal */
    public Value $action;
    /** @internal */
    public string $resourceType = 'user';
    /** @internal */
    public Value $resourceId;
    /** @internal
     * @var array<mixed>
     */
    public array $properties = [];
    /** @internal
     * @var array<mixed>
     */
    public array $resourceProperties = [];
    /** @internal */
    public ?Value $location = null;
    /** @internal
     * @var array<string, Value> current_location, confirmed and at_least
     */
    public array $context = [];
    /** @internal */
    public bool $drawsBody = false;
    /** @internal
     * @var list<string>
     */
    public array $drawnQuery = [];

    /** @internal */
    public function __construct()
    {
        $this->action = $this->resourceId = new Value();
    }

    /** Tells whether the route takes a host and a method. One for GET takes HEAD too. */
    public function takes(string $host, string $method): bool
    {
        return ($this->host === '' || $this->host === $host)
            && (in_array($method, $this->methods, true) || ($method === 'HEAD' && in_array('GET', $this->methods, true)));
    }
}
