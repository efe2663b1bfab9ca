<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Routes;

use Wardkeeper\Pep\Identity\Algorithm;
use Wardkeeper\Pep\Json\Number;

/** Parses a route file, and collects all of its faults.
 *
 * @internal
 */
final class Parser
{
    private const MAX_ROUTES = 10_000;
    private const ROUTE_KEYS = [
        'path', 'host', 'methods', 'public', 'action', 'properties', 'resource', 'location', 'current_location', 'confirmed',
        'at_least',
    ];
    private const SOURCES = ['path', 'query', 'header', 'claim', 'body'];
    private const CONTEXT = ['current_location' => Form::Text, 'confirmed' => Form::Boolean, 'at_least' => Form::Text];

    /** @var list<Fault> */
    public array $faults = [];
    public Subject $subject;
    /** @var list<string> */
    public array $kinds = [];
    /** @var list<Route> */
    public array $routes = [];
    public readonly Tree $tree;
    /** @var array<mixed> */
    private array $defaults = [];
    /** @var array<string, Route> */
    private array $shapes = [];

    public function __construct()
    {
        $this->subject = new Subject();
        $this->tree = new Tree();
    }

    /** Parses the whole document. */
    public function file(mixed $root): void
    {
        $keys = $this->mapping($root, '', 'the file', ['version', 'subject', 'supported_obligations', 'defaults', 'routes']);
        if ($keys === null) {
            return;
        }
        if (!array_key_exists('version', $keys)) {
            $this->add('', 'version is missing: begin the file with version: 1');
        } elseif ($keys['version'] !== 1) {
            $this->add('version', 'version is not 1: write version: 1, the only one that there is');
        }
        $hasSubject = array_key_exists('subject', $keys);
        if ($hasSubject) {
            $this->subject($keys['subject']);
        }
        if (array_key_exists('supported_obligations', $keys)) {
            $this->obligations($keys['supported_obligations']);
        }
        if (array_key_exists('defaults', $keys)) {
            $known = ['host', ...array_keys(self::CONTEXT)];
            $this->defaults = $this->mapping($keys['defaults'], 'defaults', 'defaults', $known) ?? [];
            $this->checkDefaults();
        }
        if (array_key_exists('routes', $keys)) {
            $this->routes($keys['routes'], $hasSubject);
        } else {
            $this->add('', 'routes is missing: list at least one route');
        }
    }

    private function subject(mixed $value): void
    {
        $keys = $this->mapping($value, 'subject', 'subject', ['jwt', 'header']);
        if ($keys === null) {
            return;
        }
        if (count($keys) !== 1) {
            $this->add('subject', 'subject has not exactly one of jwt and header: say in one way who the person is');
        }
        $jwt = array_key_exists('jwt', $keys) ? $this->jwt($keys['jwt']) : null;
        $header = array_key_exists('header', $keys) ? $this->text($keys['header'], 'subject.header', 'header') : '';
        $this->subject = new Subject($jwt, $header !== '' && $this->headerName($header, 'subject.header') ? $header : '');
    }

    private function jwt(mixed $value): ?Jwt
    {
        $known = ['keys', 'keys_file', 'issuer', 'audience', 'claim', 'cookie'];
        $keys = $this->mapping($value, 'subject.jwt', 'jwt', [...$known, 'algorithms']);
        if ($keys === null) {
            return null;
        }
        $texts = [];
        foreach ($known as $name) {
            $texts[$name] = array_key_exists($name, $keys) ? $this->text($keys[$name], "subject.jwt.$name", $name) : '';
        }
        foreach (['issuer', 'audience', 'algorithms'] as $name) {
            if (!array_key_exists($name, $keys)) {
                $this->add('subject.jwt', "$name is missing: write what a token has to have");
            }
        }
        if (array_key_exists('keys', $keys) === array_key_exists('keys_file', $keys)) {
            $this->add('subject.jwt', 'jwt has not exactly one of keys and keys_file: say in one way where the public keys are');
        }
        if ($texts['keys'] !== '' && !self::isKeysUrl($texts['keys'])) {
            $this->add(
                'subject.jwt.keys',
                'keys is not an https URL: write one without user, password and fragment '
                . '(http only for this machine, or use keys_file)'
            );
        }
        if ($texts['cookie'] !== '' && preg_match('/\A[A-Za-z0-9!#$&\'*+\-.^_`|~]++\z/', $texts['cookie']) !== 1) {
            $this->add(
                'subject.jwt.cookie',
                "cookie \"$texts[cookie]\" is not a name of a cookie: write letters, digits, hyphens and underscores"
            );
        }
        $algorithms = $this->algorithms($keys['algorithms'] ?? null, array_key_exists('algorithms', $keys));
        return new Jwt(
            $texts['keys'],
            $texts['keys_file'],
            $texts['issuer'],
            $texts['audience'],
            $algorithms,
            array_key_exists('claim', $keys) ? $texts['claim'] : 'sub',
            $texts['cookie']
        );
    }

    /** @return list<string> */
    private function algorithms(mixed $value, bool $given): array
    {
        $where = 'subject.jwt.algorithms';
        $algorithms = $given ? $this->texts($value, $where, 'algorithms', 'an algorithm') : [];
        if ($value === []) {
            $this->add($where, 'algorithms is empty: list those that the issuer signs with, such as [ES256]');
        }
        foreach ($algorithms as $name) {
            if (!in_array($name, Algorithm::ALL, true)) {
                $this->add($where, "\"$name\" is not an algorithm with a public key: use " . implode(', ', Algorithm::ALL));
            }
        }
        return $algorithms;
    }

    /** Reads the kinds of obligation that the application supports. A question has only their types. */
    private function obligations(mixed $value): void
    {
        $where = 'supported_obligations';
        $this->kinds = $this->texts($value, $where, $where, 'an obligation type');
        foreach ($this->kinds as $kind) {
            [$type, $action] = explode('/', $kind, 2) + [1 => null];
            if ($type === 'custom' && ($action ?? '') === '') {
                $this->add($where, 'the obligation custom is not supported as such: name its action, as in custom/confirm');
            } elseif ($type !== 'custom' && $action !== null) {
                $this->add($where, "\"$kind\" is not an obligation type: only custom has an action, as in custom/confirm");
            }
        }
    }

    /** Reports the faults of the defaults once, rather than for each route. */
    private function checkDefaults(): void
    {
        foreach ($this->defaults as $name => $value) {
            $before = count($this->faults);
            if ($name === 'host') {
                $this->host($value, 'defaults.host');
            } else {
                $found = $this->member(new Route(), $value, "defaults.$name", $name, self::CONTEXT[$name], true);
                if ($found !== null && in_array($found->source, ['path', 'body'], true)) {
                    $this->add(
                        "defaults.$name",
                        "a default draws from the $found->source, which differs between routes: write it in the routes that have it"
                    );
                }
            }
            if (count($this->faults) > $before) {
                unset($this->defaults[$name]);
            }
        }
    }

    private function routes(mixed $value, bool $hasSubject): void
    {
        $elements = $this->list($value, 'routes', 'routes');
        if ($elements === null) {
            return;
        }
        if ($elements === []) {
            $this->add('routes', 'routes is empty: list at least one route');
        }
        if (count($elements) > self::MAX_ROUTES) {
            $this->add('routes', 'routes has more than ' . self::MAX_ROUTES . ' routes: join those that ask the same');
            return;
        }
        $asking = false;
        foreach ($elements as $i => $element) {
            $before = count($this->faults);
            $route = $this->route($element, "routes[$i]");
            $asking = $asking || ($route !== null && !$route->public);
            if ($route !== null && count($this->faults) === $before) { // else it is not known which routes it hides
                $this->insert($route, "routes[$i]");
            }
        }
        if (!$hasSubject && $asking) {
            $this->add('routes', 'subject is missing: say who the person is, by jwt or by header');
        }
    }

    /** Adds a route. Methods with which no request reaches it are faults, and other names for the parameters of a template. */
    private function insert(Route $route, string $where): void
    {
        $route->index = count($this->routes);
        $other = $this->shapes[$route->template?->shape() ?? ''] ??= $route;
        if ($other->path !== $route->path) {
            $this->add(
                $where,
                "path \"$route->path\" differs from \"$other->path\" only by the names of parameters: use the same names"
            );
            return;
        }
        $taken = []; // the first that takes it, by method
        foreach ($this->tree->covering($route->template->segments ?? []) as $earlier) {
            foreach ($route->methods as $method) {
                if (
                    ($earlier->host === '' || $earlier->host === $route->host) && $earlier->takes($earlier->host, $method)
                    && $earlier->index < ($taken[$method]->index ?? PHP_INT_MAX)
                ) {
                    $taken[$method] = $earlier;
                }
            }
        }
        foreach ($taken as $method => $earlier) {
            $this->add(
                $where,
                "no $method request reaches the route $route->path: the route $earlier->path takes them first; "
                . "move this one above it, or remove $method here"
            );
        }
        $this->routes[] = $route;
        $this->tree->insert($route);
    }

    private function route(mixed $value, string $where): ?Route
    {
        $keys = $this->mapping($value, $where, 'a route', self::ROUTE_KEYS);
        if ($keys === null) {
            return null;
        }
        $route = new Route();
        if (!array_key_exists('path', $keys)) {
            $this->add($where, 'path is missing: write the template of the path, such as /users/{id}');
        } elseif (($route->path = $this->text($keys['path'], "$where.path", 'path')) !== '') {
            try {
                $route->template = Template::of($route->path);
            } catch (\InvalidArgumentException $error) {
                $this->add("$where.path", $error->getMessage());
            }
        }
        $route->host = array_key_exists('host', $keys) ? $this->host($keys['host'], "$where.host") : $this->defaults['host'] ?? '';
        if (array_key_exists('methods', $keys)) {
            $this->methods($route, $keys['methods'], "$where.methods");
        } else {
            $this->add($where, 'methods is missing: list the methods, such as [GET]');
        }
        if (!array_key_exists('public', $keys)) {
            $this->question($route, $keys, $where);
            return $route;
        }
        $route->public = true;
        if ($this->boolean($keys['public'], "$where.public", 'public') === false) {
            $this->add("$where.public", 'public is false: remove it, because every other route is asked about');
        }
        foreach (array_diff(array_keys($keys), ['path', 'host', 'methods', 'public']) as $name) {
            $this->add("$where.$name", "$name is for routes that are asked about, but this one is public: remove one of them");
        }
        return $route;
    }

    /** @param array<mixed> $keys */
    private function question(Route $route, array $keys, string $where): void
    {
        if (array_key_exists('action', $keys)) {
            $route->action = $this->member($route, $keys['action'], "$where.action", 'action', Form::Text, false) ?? $route->action;
        } else {
            $this->add($where, 'action is missing: name it, such as user.view, or write public: true');
        }
        if (array_key_exists('properties', $keys)) {
            $route->properties = $this->members($route, $keys['properties'], "$where.properties", 'properties');
        }
        if (array_key_exists('resource', $keys)) {
            $this->resource($route, $keys['resource'], "$where.resource");
        } else {
            $this->add($where, 'resource is missing: say whom or what the request is about, such as {id: {path: id}}');
        }
        if (array_key_exists('location', $keys)) {
            $route->location = $this->member($route, $keys['location'], "$where.location", 'location', Form::Text, true);
            if (isset($route->resourceProperties['location'])) {
                $this->add("$where.location", 'location is a property of the resource too: write it once');
            }
        }
        foreach (self::CONTEXT as $name => $form) {
            $found = null;
            if (array_key_exists($name, $keys)) {
                $found = $this->member($route, $keys[$name], "$where.$name", $name, $form, true);
            } elseif (array_key_exists($name, $this->defaults)) {
                $found = $this->member($route, $this->defaults[$name], $where, $name, $form, true);
            }
            $route->context += $found === null ? [] : [$name => $found];
        }
    }

    private function resource(Route $route, mixed $value, string $where): void
    {
        $keys = $this->mapping($value, $where, 'resource', ['type', 'id', 'properties']);
        if ($keys === null) {
            return;
        }
        if (array_key_exists('type', $keys)) {
            $route->resourceType = $this->text($keys['type'], "$where.type", 'type');
            $this->length($route->resourceType, "$where.type", 'type');
        }
        if (array_key_exists('id', $keys)) {
            $route->resourceId = $this->member($route, $keys['id'], "$where.id", 'id', Form::Text, false) ?? $route->resourceId;
        } else {
            $this->add($where, 'id is missing: say whom or what the request is about, such as {path: id}');
        }
        if (array_key_exists('properties', $keys)) {
            $route->resourceProperties = $this->members($route, $keys['properties'], "$where.properties", 'properties');
        }
    }

    private function methods(Route $route, mixed $value, string $where): void
    {
        if ($value === []) {
            $this->add($where, 'methods is empty: list the methods, such as [GET]');
        }
        foreach ($this->list($value, $where, 'methods') ?? [] as $element) {
            $method = $this->text($element, $where, 'a method');
            if ($method === '') {
                continue;
            }
            if (!Table::isMethod($method)) {
                $this->add($where, "\"$method\" is not a method: write it in upper case, such as GET");
            } elseif (in_array($method, ['TRACE', 'CONNECT'], true)) {
                $this->add($where, "$method is refused always: remove it");
            } elseif (in_array($method, $route->methods, true)) {
                $this->add($where, "$method is there twice: remove one of them");
            } else {
                $route->methods[] = $method;
            }
        }
    }

    /** @return array<mixed> values by the names of their members */
    private function members(Route $route, mixed $value, string $where, string $what): array
    {
        $members = [];
        if (!$value instanceof \stdClass) {
            $this->add($where, "$what is not a mapping: write it as keys with values");
            return [];
        }
        foreach (get_object_vars($value) as $name => $member) {
            if ($name === '' || Value::hasControl((string) $name)) {
                $this->add($where, 'the name of a property is empty or has a control character: write another one');
                continue;
            }
            $found = $this->member($route, $member, "$where.$name", (string) $name, Form::Any, true);
            $members += $found === null ? [] : [$name => $found];
        }
        return $members;
    }

    /** Parses a literal or a reference, and records in the route what it draws from. */
    private function member(Route $route, mixed $value, string $where, string $what, Form $form, bool $mayBeOptional): ?Value
    {
        $before = count($this->faults);
        if ($value instanceof \stdClass) {
            $found = $this->reference($route, $value, $where);
            if ($found !== null && $found->optional && !$mayBeOptional) {
                $this->add($where, "$what is in every question: remove optional");
            }
        } else {
            $found = new Value(literal: $this->literal($value, $where, $what, $form));
        }
        return count($this->faults) === $before ? $found : null;
    }

    private function literal(mixed $value, string $where, string $what, Form $form): mixed
    {
        if ($form === Form::Boolean) {
            return $this->boolean($value, $where, $what);
        }
        if ($form === Form::Text) {
            $text = $this->text($value, $where, $what);
            $this->length($text, $where, $what);
            return $text;
        }
        if (is_array($value)) {
            return array_map(fn ($element) => $this->scalar($element, $where, "an element of $what"), array_values($value));
        }
        return $this->scalar($value, $where, $what);
    }

    private function reference(Route $route, \stdClass $value, string $where): ?Value
    {
        $before = count($this->faults);
        $keys = $this->mapping($value, $where, 'a reference', [...self::SOURCES, 'optional']) ?? [];
        if (count($this->faults) > $before) {
            return null;
        }
        $found = array_values(array_intersect(self::SOURCES, array_keys($keys)));
        $optional = array_key_exists('optional', $keys)
            && $this->boolean($keys['optional'], "$where.optional", 'optional') === true;
        if (count($found) !== 1) {
            $this->add(
                $where,
                'a reference has not exactly one of path, query, header, claim and body: say in one way where the value comes from'
            );
            return null;
        }
        $source = $found[0];
        $name = $this->text($keys[$source], $where, $source);
        if ($name === '') {
            return null;
        }
        $segment = -1;
        $pointer = [];
        if ($source === 'path') {
            $segment = $route->template?->indexOf($name) ?? -1;
            if ($segment < 0 && $route->template !== null) { // without one, the path has a fault
                $this->add($where, "the path has no parameter $name: write {{$name}} into it, or correct the name");
            }
        } elseif ($source === 'query') {
            $this->query($route, $name, $where);
        } elseif ($source === 'header') {
            if ($this->headerName($name, $where) && Headers::isAny($name, [$this->subject->header])) {
                $this->add($where, "the header $name names the person: draw the value from elsewhere");
            }
        } elseif ($source === 'claim') {
            if ($this->subject->header !== '') {
                $this->add($where, 'there are no claims without a token: use subject.jwt, or draw the value from elsewhere');
            }
        } else {
            $route->drawsBody = true;
            $pointer = Body::pointer($name);
            if ($pointer === null) {
                $this->add($where, "\"$name\" is not a JSON pointer: write it as /role or /items/0/id");
            }
        }
        return new Value($source, null, $name, $pointer ?? [], $segment, $optional);
    }

    private function query(Route $route, string $name, string $where): void
    {
        if (preg_match('/\A[A-Za-z0-9\-_~](?:[A-Za-z0-9\-._~]*[A-Za-z0-9\-_~])?\z/', $name) !== 1) {
            $this->add(
                $where,
                "\"$name\" is not a name of a query parameter that every program reads alike: "
                . 'use letters, digits, hyphens, underscores and dots'
            );
            return;
        }
        if (Query::isSame(Query::METHOD, $name)) {
            $this->add(
                $where,
                'requests with the query parameter ' . Query::METHOD . ' are refused: draw the value from elsewhere'
            );
            return;
        }
        foreach ($route->drawnQuery as $other) {
            if ($other !== $name && Query::isSame($other, $name)) {
                $this->add(
                    $where,
                    "the query parameters $other and $name are the same to some programs: draw from one of them"
                );
                return;
            }
        }
        $route->drawnQuery[] = $name;
    }

    private function headerName(string $name, string $where): bool
    {
        if (preg_match('/\A[A-Za-z0-9\-]++\z/', $name) !== 1) {
            $this->add($where, "\"$name\" is not a name of a header: use letters, digits and hyphens");
        } elseif (Headers::isAny($name, [...Headers::UNDRAWABLE, ...Headers::REFUSED])) {
            $this->add($where, "the header $name cannot be drawn from: proxies act on it, or requests with it are refused");
        } elseif (Headers::isReserved($name)) {
            $this->add(
                $where,
                "the header $name cannot be drawn from: requests with a header that begins with " . Headers::OURS . ' are refused'
            );
        } elseif (Headers::isAny($name, Headers::REPLACED)) {
            $this->add($where, "the header $name cannot be drawn from: proxies and adapters set it themselves");
        } else {
            return true;
        }
        return false;
    }

    /**
     * @param list<string> $known
     * @return array<mixed>|null
     */
    private function mapping(mixed $value, string $where, string $what, array $known): ?array
    {
        if (!$value instanceof \stdClass) {
            $this->add($where, "$what is not a mapping: write it as keys with values");
            return null;
        }
        $members = get_object_vars($value);
        foreach (array_keys($members) as $key) {
            if (!in_array((string) $key, $known, true)) {
                $this->add($where, "\"$key\" is not a key of $what: use " . implode(', ', $known));
                unset($members[$key]);
            }
        }
        return $members;
    }

    /** @return list<mixed>|null */
    private function list(mixed $value, string $where, string $what): ?array
    {
        if (is_array($value)) {
            return array_values($value);
        }
        $this->add($where, "$what is not a list: write it as [A, B]");
        return null;
    }

    /** @return list<string> */
    private function texts(mixed $value, string $where, string $what, string $element): array
    {
        $texts = [];
        foreach ($this->list($value, $where, $what) ?? [] as $entry) {
            $text = $this->text($entry, $where, $element);
            if (in_array($text, $texts, true)) {
                $this->add($where, "\"$text\" is there twice: remove one of them");
            } elseif ($text !== '') {
                $texts[] = $text;
            }
        }
        return $texts;
    }

    private function text(mixed $value, string $where, string $what): string
    {
        if (!is_string($value)) {
            $this->add($where, "$what is not a text: put it in quotes if it is meant");
        } elseif ($value === '') {
            $this->add($where, "$what is empty: write a value, or remove the key");
        } elseif (Value::hasControl($value)) {
            $this->add($where, "$what has a control character or is not UTF-8: remove it");
        } else {
            return $value;
        }
        return '';
    }

    private function boolean(mixed $value, string $where, string $what): ?bool
    {
        if (is_bool($value)) {
            return $value;
        }
        $this->add($where, "$what is neither true nor false: write one of them");
        return null;
    }

    private function scalar(mixed $value, string $where, string $what): mixed
    {
        if (is_float($value) && !is_finite($value)) {
            $this->add($where, "$what is a number that JSON does not have: write it in decimal, or put it in quotes");
            return null;
        }
        return is_bool($value) || is_int($value) || is_float($value) || $value instanceof Number
            ? $value
            : $this->text($value, $where, $what);
    }

    private function length(string $text, string $where, string $what): void
    {
        if (strlen($text) > Value::MAX_NAME) {
            $this->add($where, "$what is longer than " . Value::MAX_NAME . ' bytes: shorten it');
        }
    }

    /** Parses a host, which is written as requests are compared with it. */
    private function host(mixed $value, string $where): string
    {
        $text = $this->text($value, $where, 'host');
        if ($text === '') {
            return '';
        }
        try {
            if (Host::canonical([$text]) === $text) {
                return $text;
            }
        } catch (RouteError) {
        }
        $this->add(
            $where,
            "host \"$text\" is not a host as requests are compared with it: "
            . 'write it in lower case, without a port or a trailing dot'
        );
        return '';
    }

    private function add(string $where, string $message): void
    {
        $this->faults[] = new Fault($where, $message);
    }

    /** Tells whether this is an https URL, or an http URL of this machine. */
    public static function isKeysUrl(string $text): bool
    {
        $parts = preg_match('/\A[!-~]+\z/', $text) === 1 && !str_contains($text, '#') ? parse_url($text) : false;
        if ($parts === false || ($parts['host'] ?? '') === '' || isset($parts['user']) || isset($parts['pass'])) {
            return false;
        }
        $scheme = $parts['scheme'] ?? '';
        return $scheme === 'https' || ($scheme === 'http' && self::isLoopback(trim($parts['host'], '[]')));
    }

    private static function isLoopback(string $host): bool
    {
        return $host === 'localhost' || $host === '::1'
            || (str_starts_with($host, '127.') && filter_var($host, FILTER_VALIDATE_IP, FILTER_FLAG_IPV4) !== false);
    }
}
