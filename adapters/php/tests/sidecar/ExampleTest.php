<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Tests\Sidecar;

use PHPUnit\Framework\TestCase;

require_once __DIR__ . '/Sidecar.php';

final class ExampleTest extends TestCase
{
    use Sidecar;

    public function testPagesWithButtons(): void
    {
        $this->startSidecar();
        $outbox = "$this->folder/outbox";
        touch($outbox);
        chmod($outbox, 0666);
        $address = $this->serve(dirname(__DIR__, 2) . '/example/users.php', ['OUTBOX' => $outbox]);
        $alice = ['Authorization: Basic ' . base64_encode('alice:secret')];

        self::assertSame(401, self::send($address, 'GET /users')[0]);
        self::assertSame(401, self::send($address, 'GET /users', ['Authorization: Basic ' . base64_encode('alice:wrong')])[0]);
        [, , $first] = self::send($address, 'GET /users', $alice);
        self::assertSame(5, substr_count($first, '<li>'), $first);
        self::assertSame(1, preg_match('/\?token=([^"]+)/', $first, $token));
        self::assertStringContainsString('<li>', self::send($address, "GET /users?token=$token[1]", $alice)[2]);
        [, , $jane] = self::send($address, 'GET /users/jane', $alice);
        self::assertStringContainsString('/user.edit">user.edit', $jane);
        self::assertStringContainsString('user.reactivate" disabled>', $jane);
        self::assertSame(403, self::send($address, 'GET /users/lucy', $alice)[0]);

        [$status, , $asked] = self::send($address, 'POST /users/jane/user.deactivate', [...$alice, 'Content-Length: 0']);
        self::assertSame(403, $status);
        self::assertStringContainsString('<li>multiple locations</li>', $asked);
        self::assertSame('', file_get_contents($outbox));
        [$status] = self::send($address, 'POST /users/jane/user.deactivate?confirmed=true', [...$alice, 'Content-Length: 0']);
        self::assertSame(200, $status);
        usleep(200_000); // php-fpm may end the answer before the functions that follow it
        self::assertSame("end the sessions of jane\n", file_get_contents($outbox));
    }
}
