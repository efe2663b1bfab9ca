<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Tests\Unit;

use PHPUnit\Framework\TestCase;
use Wardkeeper\Pep\Cache;
use Wardkeeper\Pep\Json\Json;
use Wardkeeper\Pep\Routes\Faults;
use Wardkeeper\Pep\Routes\Headers;
use Wardkeeper\Pep\Routes\Query;
use Wardkeeper\Pep\Routes\Request;
use Wardkeeper\Pep\Routes\Resolution;
use Wardkeeper\Pep\Routes\RouteError;
use Wardkeeper\Pep\Routes\Table;

final class RoutesTest extends TestCase
{
    public const FILE = [
        'version' => 1,
        'subject' => ['jwt' => ['keys_file' => 'keys.json', 'issuer' => 'https://i', 'audience' => 'a', 'algorithms' => ['ES256']]],
        'supported_obligations' => ['custom/confirm', 'notification'],
        'routes' => [
            ['path' => '/open/{rest...}', 'methods' => ['GET'], 'public' => true],
            ['path' => '/users/new', 'methods' => ['GET'], 'action' => 'user.invite', 'resource' => ['id' => 'new']],
            [
                'path' => '/users/{id}', 'methods' => ['GET'], 'action' => 'user.view', 'resource' => ['id' => ['path' => 'id']],
                'location' => ['query' => 'location', 'optional' => true],
                'confirmed' => ['header' => 'X-Confirmed', 'optional' => true],
            ],
            [
                'path' => '/users/{id}/roles', 'methods' => ['POST'], 'action' => 'assignment.add',
                'resource' => ['id' => ['path' => 'id']], 'location' => ['body' => '/location'],
                'properties' => ['role' => ['body' => '/role']],
            ],
        ],
    ];

    /** What is refused, whatever the route, if it is sent as the target of a GET. */
    public const REFUSED_TARGETS = [
        '/open/../users/jane', '/open/%2e%2e/x', '/open/..%2fx', '//users/jane', '/users//jane', '/users/jane;x', '/users/jane%3bx',
        '/open/a%5cb', '/open/a\\b', '/open/%00', '/open/%0a', '/open/%ff', '/open/%c0%ae', '/open/a.', '/open/a%20', '/open/%zz',
        '/open/%', '/open/a#b', '/open/%EF%BC%8F', '/open/%E2%80%A8', '/open/%C2%85', '/open/%2525', '/open/"', '/open/x?_method=DELETE',
        '/open/x?_METHOD=DELETE', '/open/x?a=1;_method=DELETE', '/users/%20jane', '/users/jane%E2%80%8B', '/users/jane?location=a&location=b',
        '/users/jane?location=a&Location=b', '/users/jane?location[]=a', '/users/jane?location=', '/users/jane?location=a+b',
        '/users/jane?location=%zz', '/users/jane?location=a;b=c', '/users/jane?%6cocation=a&location=b', '/users/jane?location=%00',
        '/users/jane?%20location=a', '/users/jane?loca%C5%BFion=a&location=%ff',
    ];

    public const REFUSED_FIELDS = [
        ['X-HTTP-Method-Override', 'DELETE'], ['X_HTTP_Method', 'PUT'], ['X-Original-URL', '/x'], ['X-Wardkeeper-Subject', 'alice'],
        ['X_Wardkeeper-Subject', 'alice'], ['x.wardkeeper.subject', 'alice'], ['X_Remote_User', 'alice'], ['Remote_User', 'alice'],
        ['Trailer', 'X'], ['Upgrade', 'h2c'], ['Connection', 'X-Confirmed'], ['Content_Length', '5'], ['Transfer_Encoding', 'chunked'],
    ];

    /** @param list<array{string, string}> $fields */
    private function resolve(string $method, string $target, array $fields = [], ?string $body = null): Resolution
    {
        $found = new Resolution();
        $request = new Request(
            $method,
            $target,
            ['clinic.example.org:8443'],
            new Headers([['Authorization', 'Bearer t'], ...$fields]),
            readBody: $body === null ? null : static fn (int $limit) => $body
        );
        Table::parse(Json::encode(self::FILE))->resolve($request, $found, static fn (string $token) => ['sub' => 'alice']);
        return $found;
    }

    public function testARequestIsAQuestion(): void
    {
        $message = $this->resolve('HEAD', '/users/j%61ne?location=ghi&x=1', [['X-Confirmed', 'true']])->question?->message();
        self::assertSame(
            '{"subject":{"type":"user","id":"alice"},"action":{"name":"user.view"},"resource":{"type":"user","id":"jane",'
            . '"properties":{"location":"ghi"}},"context":{"confirmed":true}}',
            Json::encode($message)
        );
        self::assertSame('user.invite', $this->resolve('GET', '/users/new')->question?->action->name);
        self::assertTrue($this->resolve('GET', '/open/a/b')->route?->public);
        self::assertNull($this->resolve('PUT', '/users/jane')->route);
        self::assertNull($this->resolve('GET', '/Users/jane')->route);
    }

    public function testWhatHasNoSingleMeaningIsRefused(): void
    {
        foreach (self::REFUSED_TARGETS as $target) {
            self::assertSame(400, $this->statusOf('GET', $target), $target);
        }
        foreach (self::REFUSED_FIELDS as $field) {
            self::assertSame(400, $this->statusOf('GET', '/open/x', [$field]), $field[0]);
        }
        foreach (['get', 'TRACE', 'CONNECT', 'G@T', str_repeat('X', 33)] as $method) {
            self::assertSame(400, $this->statusOf($method, '/users/jane'), $method);
        }
        self::assertSame(400, $this->statusOf('GET', '/' . str_repeat('a', 8 << 10)));
        self::assertSame(401, $this->statusOf('GET', '/users/jane', [], 'Basic x'));
        self::assertSame(401, $this->statusOf('GET', '/users/jane', [], 'Bearer a,b'));
    }

    /** @param list<array{string, string}> $fields */
    private function statusOf(string $method, string $target, array $fields = [], string $authorization = 'Bearer t', ?string $body = null): int
    {
        $request = new Request(
            $method,
            $target,
            ['clinic.example.org'],
            new Headers([['Authorization', $authorization], ...$fields]),
            readBody: static fn (int $limit) => $body ?? ''
        );
        try {
            Table::parse(Json::encode(self::FILE))->resolve($request, new Resolution(), static fn (string $token) => ['sub' => 'alice']);
            return 200;
        } catch (RouteError $error) {
            return $error->status;
        }
    }

    public function testABodyIsReadStrictly(): void
    {
        $type = [['Content-Type', 'application/json; charset=utf-8']];
        $found = $this->resolve('POST', '/users/jane/roles', $type, '{"role":["a",1.5,{}],"location":17}');
        self::assertSame('{"role":["a",1.5,{}]}', Json::encode((object) $found->question?->action->properties));
        self::assertSame(['location' => '17'], $found->question?->resource->properties);
        foreach (
            [
                '{"role":1,"location":"x","Location":"y"}', '{"role":1,"location":"x","role":2}', '{"role":1,"location":" x"}', '[]',
                '{"role":9007199254740993,"location":"x"}', '{"role":1,"location":9007199254740993}', '{"role":1,"location":1.5}', '',
                '{"role":1,"location":null}', '{"role":1,"location":"x"} ' . str_repeat(' ', 64 << 10), '{"role":1,"locatıon":"x"}',
            ] as $body
        ) {
            self::assertSame(400, $this->statusOf('POST', '/users/jane/roles', $type, body: $body), substr($body, 0, 60));
        }
        foreach ([[], [['Content-Type', 'text/plain']], [...$type, ['Content-Encoding', 'gzip']], [...$type, ...$type]] as $fields) {
            self::assertSame(400, $this->statusOf('POST', '/users/jane/roles', $fields, body: '{"role":1,"location":"x"}'));
        }
        $large = new Request('POST', '/users/jane/roles', ['h'], new Headers([['Authorization', 'Bearer t'], ...$type]));
        $this->expectExceptionMessage('which is not available here');
        Table::parse(Json::encode(self::FILE))->resolve($large, new Resolution(), static fn (string $token) => ['sub' => 'alice']);
    }

    public function testWhatTheApplicationGetsIsWhatIsJudged(): void
    {
        $table = Table::parse(Json::encode(self::FILE));
        $headers = new Headers([['Authorization', 'Bearer t']]);
        foreach ([['/users/joe', ''], ['/users/jane', 'location=x']] as [$path, $query]) {
            try {
                $request = new Request('GET', '/users/jane', ['h'], $headers, $path, $query);
                $table->resolve($request, new Resolution(), static fn (string $token) => ['sub' => 'alice']);
                self::fail('it was resolved');
            } catch (RouteError $error) {
                self::assertSame(400, $error->status);
            }
        }
    }

    public function testNamesThatProgramsTakeForOthersAreTheSame(): void
    {
        foreach (['id', 'ID', ' id', 'id[]', 'id[x]', '[id]', "id\0x", "\u{131}d"] as $received) {
            self::assertSame($received !== "\u{131}d", Query::isSame($received, 'id'), $received);
        }
        foreach (['a.b', 'a b', 'a[b', 'A_B', 'a+b'] as $received) {
            self::assertTrue(Query::isSame($received, 'a_b'), $received);
        }
        self::assertTrue(Query::isSame("\u{212a}ey", 'key'));
        self::assertFalse(Query::isSame('ids', 'id'));
    }

    /** @dataProvider faults */
    public function testFaultsOfAFileAreTold(array $change, string $fault): void
    {
        $this->expectException(Faults::class);
        $this->expectExceptionMessage($fault);
        Table::parse(Json::encode((object) array_replace(self::FILE, $change)));
    }

    /** @return iterable<array{array<string, mixed>, string}> */
    public static function faults(): iterable
    {
        $route = self::FILE['routes'][2];
        yield [['version' => 2], 'version is not 1'];
        yield [['more' => 1], '"more" is not a key of the file'];
        yield [['routes' => []], 'routes is empty'];
        yield [['routes' => [['path' => '/x/{id}/../y'] + $route]], 'dot segment'];
        yield [['routes' => [['path' => '/x'] + $route]], 'the path has no parameter id'];
        yield [['routes' => [['methods' => ['get']] + $route]], 'write it in upper case'];
        yield [['routes' => [$route, $route]], 'takes them first'];
        yield [['routes' => [$route, ['path' => '/users/{name}', 'resource' => ['id' => 'x']] + $route]], 'only by the names'];
        yield [['routes' => [['action' => ['query' => '_method']] + $route]], 'are refused'];
        yield [['routes' => [['action' => ['header' => 'X-Wardkeeper-Subject']] + $route]], 'cannot be drawn from'];
        yield [['routes' => [['host' => 'Clinic.example.org'] + $route]], 'write it in lower case'];
        yield [['subject' => ['header' => 'X_User']], 'is not a name of a header'];
        yield [['subject' => ['jwt' => ['keys' => 'http://idp.example.org'] + self::FILE['subject']['jwt']]], 'is not an https URL'];
        yield [['subject' => ['jwt' => ['algorithms' => ['HS256']] + self::FILE['subject']['jwt']]], 'is not an algorithm'];
        yield [['supported_obligations' => ['custom']], 'name its action'];
        yield [['defaults' => ['confirmed' => ['body' => '/x']]], 'a default draws from the body'];
    }

    public function testAFileMayBeYaml(): void
    {
        $table = Table::parse("version: 1\nroutes:\n  - {path: \"/a/{b...}\", methods: [GET], public: true}\n");
        self::assertSame('/a/{b...}', $table->routes[0]->path);
        $this->expectException(Faults::class);
        Table::parse("version: 1\nversion: 1\nroutes: []\n");
    }

    public function testAParsedFileIsKeptUntilItChanges(): void
    {
        $folder = sys_get_temp_dir() . '/tables-' . bin2hex(random_bytes(4));
        $cache = new Cache($folder);
        try {
            file_put_contents("$folder.json", Json::encode(self::FILE));
            $first = Table::load("$folder.json", $cache);
            self::assertEquals($first, Table::load("$folder.json", $cache));
            [$kept] = glob("$folder/*");
            $text = file_get_contents($kept);
            file_put_contents($kept, str_replace('user.invite', 'user.insert', $text));
            $second = Table::load("$folder.json", $cache);
            self::assertSame('user.insert', $second->routes[1]->action->literal, 'it is read from the folder');
            file_put_contents("$folder.json", Json::encode(['supported_obligations' => []] + self::FILE));
            self::assertSame([], Table::load("$folder.json", $cache)->supportedObligations);
            file_put_contents($kept, substr($text, 0, 200));
            self::assertSame([], Table::load("$folder.json", $cache)->supportedObligations);
            file_put_contents($kept, str_replace('user.invite', 'user.insert', $text));
            file_put_contents("$folder.json", Json::encode(self::FILE));
            chmod($folder, 0777);
            self::assertSame('user.invite', Table::load("$folder.json", $cache)->routes[1]->action->literal, 'anybody can write there');
        } finally {
            array_map(unlink(...), [...glob("$folder/*"), "$folder.json"]);
            rmdir($folder);
        }
    }

    public function testAPersonIsNamedByAnAuthenticatedProxyAlone(): void
    {
        $file = ['subject' => ['header' => 'X-Person'], 'routes' => array_slice(self::FILE['routes'], 0, 3)] + self::FILE;
        $table = Table::parse(Json::encode($file));
        foreach ([true, false] as $trusted) {
            $found = new Resolution();
            $request = new Request('GET', '/users/jane', ['h'], new Headers([['X-Person', 'bob']]), fromProxy: static fn () => $trusted);
            try {
                $table->resolve($request, $found, static fn (string $token) => []);
            } catch (RouteError $error) {
                self::assertSame(401, $error->status);
            }
            self::assertSame($trusted ? 'bob' : null, $found->question?->subject->id);
        }
    }
}
