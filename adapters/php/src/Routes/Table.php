<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Routes;

use Wardkeeper\Pep\Cache;
use Wardkeeper\Pep\Json\Number;
use Wardkeeper\Pep\Warnings;

/** What HTTP requests mean, by a route file: a public route, no route, or a question (PEP-12, PEP-14).
 *
 * What the adapter and the application could read in different ways is refused. It asks nobody and enforces nothing.
 */
final class Table
{
    private const CLASSES = [
        self::class, Route::class, Template::class, Tree::class, Value::class, Subject::class, Jwt::class, Number::class,
    ];

    /**
     * @param list<string> $supportedObligations the kinds of obligation that the application behind fulfills
     * @param list<Route> $routes
     */
    private function __construct(
        public readonly Subject $subject,
        public readonly array $supportedObligations,
        public readonly array $routes,
        private readonly Tree $tree,
    ) {
    }

    /** Reads a route file: JSON, or YAML where symfony/yaml is installed.
     *
     * @param Cache|null $cache where the parsed file is kept for other requests, until the file changes; null if nowhere
     * @throws Faults with every fault of the file
     * @throws \RuntimeException if it cannot be read
     */
    public static function load(string $path, ?Cache $cache = new Cache()): self
    {
        $file = Warnings::without(static fn () => fopen($path, 'rb'));
        $data = $file === false ? false : stream_get_contents($file, Document::MAX + 1);
        if ($data === false) {
            throw new \RuntimeException("the route file $path cannot be read");
        }
        if ($cache === null) {
            return self::parse($data);
        }
        // The same bytes are the same table, for the same version of this package.
        $digest = hash('sha256', $data . __FILE__ . filectime(__FILE__));
        $kept = $cache->get('table-' . hash('sha256', $path)) ?? '';
        $table = str_starts_with($kept, $digest)
            ? Warnings::without(static fn () => unserialize(substr($kept, strlen($digest)), ['allowed_classes' => self::CLASSES]))
            : false;
        if (!$table instanceof self) {
            $table = self::parse($data);
            $cache->put('table-' . hash('sha256', $path), $digest . serialize($table));
        }
        return $table;
    }

    /** Parses a route file.
     *
     * @throws Faults with every fault of the file
     */
    public static function parse(string $data): self
    {
        $parser = new Parser();
        $parser->file(Document::read($data));
        if ($parser->faults !== []) {
            throw new Faults($parser->faults);
        }
        return new self($parser->subject, $parser->kinds, $parser->routes, $parser->tree);
    }

    /** Finds out what a request means.
     *
     * @param Resolution $found is filled in, also if the request is refused
     * @param callable(string): array<mixed> $verify returns the claims of a token
     * @throws RouteError
     */
    public function resolve(Request $request, Resolution $found, callable $verify): void
    {
        if (!self::isMethod($request->method)) {
            throw RouteError::badRequest('The method is not a word of upper-case letters: send one such as GET.');
        }
        if (in_array($request->method, ['TRACE', 'CONNECT'], true)) {
            throw RouteError::badRequest('The method is TRACE or CONNECT, which is never served here: send another one.');
        }
        $target = Target::of($request->target);
        if (($request->path ?? $target->path) !== $target->path || ($request->query ?? $target->query) !== $target->query) {
            throw RouteError::badRequest(
                'The path or the query that was sent is not the one that the application gets: send the one that is meant.',
                'the server has rewritten the path or the query'
            );
        }
        $host = Host::canonical($request->host);
        $request->headers->check();
        if (Query::overridesMethod($target->query)) {
            throw RouteError::badRequest('The query has the parameter ' . Query::METHOD . ': send the method that is meant.');
        }
        $route = $found->route = $this->tree->find(explode('/', substr($target->path, 1)), $host, $request->method);
        if ($route === null) {
            return;
        }
        if ($route->public) {
            $this->subject->checkUnasked($request->headers, $request->isFromProxy());
            return;
        }
        if ($this->subject->jwt !== null) {
            $claims = $verify($this->subject->jwt->token($request->headers));
            $person = $this->subject->jwt->person($claims);
        } else {
            $claims = [];
            $person = $this->subject->namedByProxy($request->headers, $request->isFromProxy());
        }
        if ($route->drawnQuery !== []) {
            Query::check($target->query);
            Query::checkNoForm($request->headers);
        }
        $body = $route->drawsBody ? self::body($request) : null;
        Query::checkMembers($body, $route->drawnQuery);
        $found->question = (new Drawing($request->headers, $route, $target, $claims, $body))->question($person);
    }

    /** Tells whether this is a token without lower-case letters. */
    public static function isMethod(string $method): bool
    {
        return preg_match('/\A[A-Z0-9!#$%&\'*+\-.^_`|~]{1,32}\z/', $method) === 1;
    }

    private static function body(Request $request): mixed
    {
        if ($request->readBody === null) {
            throw RouteError::unavailable('The question needs the body of the request, which is not available here.');
        }
        try {
            $data = ($request->readBody)(Body::MAX);
        } catch (BodyTooLong) {
            throw Body::tooLong();
        } catch (\Exception $error) {
            throw RouteError::badRequest('The body could not be read completely: send it again.', get_debug_type($error));
        }
        if (strlen($data) > Body::MAX) { // what reads bodies for an adapter has not heeded the limit
            throw Body::tooLong();
        }
        return $data === '' ? null : Body::parse($data, $request->headers);
    }
}
