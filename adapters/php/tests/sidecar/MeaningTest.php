<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Tests\Sidecar;

use PHPUnit\Framework\TestCase;
use Wardkeeper\Pep\Json\Json;
use Wardkeeper\Pep\Routes\Headers;
use Wardkeeper\Pep\Routes\Request;
use Wardkeeper\Pep\Routes\Resolution;
use Wardkeeper\Pep\Routes\RouteError;
use Wardkeeper\Pep\Routes\Table;
use Wardkeeper\Pep\Tests\Unit\RoutesTest;

require_once __DIR__ . '/Sidecar.php';
require_once __DIR__ . '/../unit/RoutesTest.php';

/** Requests mean to this adapter what they mean to the Go adapters. */
final class MeaningTest extends TestCase
{
    use Sidecar;

    private const TARGETS = [
        '/', '/users/jane', '/users/j%61ne', '/users/J%C3%A4ne', '/users/jane/', '/users/jane?location=ghi&x=%20', '/users/new', '/Users/jane',
        '/users/a:b@c', '/users/%E2%82%AC', '/users/a%20b', '/users/jane?location=a%2Bb', '/users/jane?location=%C3%A9', '/open/', '/open',
        '/open/a=b,c', '/users/jane?other[]=1&other[]=2', '/users/jane?location.=1', '/users/jane?=x', '/users/jane?locationx=1', '/users/~',
    ];
    private const METHODS = ['get', 'HEAD', 'OPTIONS', 'TRACE', 'CONNECT', 'DELETE', 'M-SEARCH', 'G@T', 'XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX'];

    public function testRequestsMeanTheSame(): void
    {
        $file = "$this->folder/routes.json";
        file_put_contents($file, Json::encode(RoutesTest::FILE));
        $cases = [];
        foreach ([...self::TARGETS, ...RoutesTest::REFUSED_TARGETS] as $target) {
            $cases[] = ['GET', $target, []];
        }
        foreach (RoutesTest::REFUSED_FIELDS as $field) {
            $cases[] = ['GET', '/open/x', [$field]];
        }
        foreach (self::METHODS as $method) {
            $cases[] = [$method, '/users/jane', []];
        }
        foreach (['true', 'false', '1', 'true,true', 'TRUE', 'true false'] as $value) {
            $cases[] = ['GET', '/users/jane', [['X-Confirmed', $value]]];
        }
        $table = Table::load($file, null);
        foreach ($cases as [$method, $target, $fields]) {
            $found = new Resolution();
            $request = new Request($method, $target, ['localhost'], new Headers([['Authorization', 'Bearer t'], ...$fields]));
            try {
                $table->resolve($request, $found, static fn (string $token) => ['sub' => 'alice']);
                $asked = $found->question?->withContext(['supported_obligations' => ['custom', 'notification']]);
                $means = $asked === null ? ($found->route === null ? 'DENIED' : 'PUBLIC') : json_decode(Json::encode($asked->message()), true);
            } catch (RouteError) {
                $means = 'REFUSED';
            }
            self::assertEquals(self::explained($file, $method, $target, $fields), $means, "$method $target " . json_encode($fields));
        }
    }

    /** Asks the Go program what a request means.
     *
     * @param list<array{string, string}> $fields
     */
    private static function explained(string $file, string $method, string $target, array $fields): mixed
    {
        $command = [self::bin() . '/wardkeeper', 'routes', 'explain', $file, $method, $target, '--claims', '{"sub":"alice"}'];
        foreach ($fields as [$name, $value]) {
            array_push($command, '--header', "$name: $value");
        }
        exec(implode(' ', array_map(escapeshellarg(...), $command)), $said);
        foreach ($said as $line) {
            if (str_starts_with($line, '  asks ')) {
                return json_decode(substr($line, strlen('  asks ')), true);
            }
        }
        return explode(' ', $said[0] ?? '')[0];
    }
}
