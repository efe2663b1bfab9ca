<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Tests\Sidecar;

use PHPUnit\Framework\TestCase;
use Wardkeeper\Pep\Enforcer;
use Wardkeeper\Pep\Client;
use Wardkeeper\Pep\Testing\FakePdp;

require_once __DIR__ . '/Sidecar.php';

/** What README.md has a person paste is pasted, and works. */
final class ReadmeTest extends TestCase
{
    use Sidecar;

    private static function replaced(string $text, string $old, string $new): string
    {
        self::assertStringContainsString($old, $text);
        return str_replace($old, $new, $text);
    }

    /** @return array<string, string> the blocks in PHP by the names of their files */
    private static function blocks(): array
    {
        preg_match_all('/```php\n(<\?php \/\/ ([A-Za-z.]+)\n.*?)```/s', file_get_contents(dirname(__DIR__, 2) . '/README.md'), $found);
        return array_combine($found[2], $found[1]);
    }

    /** Pastes a block into the folder. Its autoloader is the one under test. */
    private function paste(string $name, string $text): string
    {
        $text = str_replace("__DIR__ . '/vendor/autoload.php'", var_export(dirname(__DIR__) . '/autoload.php', true), $text);
        file_put_contents("$this->folder/$name", $text);
        return "$this->folder/$name";
    }

    public function testPlainPhp(): void
    {
        $this->startSidecar();
        $readme = file_get_contents(dirname(__DIR__, 2) . '/README.md');
        self::assertSame(1, preg_match('/```yaml\n(.*?)```/s', $readme, $yaml));
        $routes = self::replaced($yaml[1], 'keys: https://idp.example.org/jwks.json', "keys_file: $this->folder/jwks.json");
        file_put_contents("$this->folder/routes.yaml", $routes);
        $blocks = self::blocks();
        $client = "new Client('unix:$this->folder/pdp.sock', timeout: 20)";
        $protect = self::replaced($blocks['protect.php'], "new Client('http://127.0.0.1:8181')", $client);
        $this->paste('protect.php', $protect);
        $address = $this->serve($this->paste('index.php', $blocks['index.php']), []);
        $alice = ['Authorization: Bearer ' . $this->token('alice', more: ['location' => 'metro'])];

        [$status, , $body] = self::send($address, 'GET /users/jane', $alice);
        self::assertSame(200, $status, $body . file_get_contents("$this->folder/log"));
        self::assertSame('{"person":"alice","user":"jane","can":{"user.edit":true,"user.reactivate":false}}', $body);
        self::assertSame(403, self::send($address, 'GET /users/lucy', $alice)[0]);
        self::assertSame(403, self::send($address, 'GET /elsewhere', $alice)[0]);
        self::assertSame(401, self::send($address, 'GET /users/jane')[0]);

        self::assertSame(1, preg_match('/add `(verify: [^`]*)`/s', $readme, $verify));
        $this->paste('protect.php', self::replaced($protect, "\n]);\n\$result", "\n], $verify[1]);\n\$result"));
        $address = $this->serve("$this->folder/index.php", []);
        self::assertSame(200, self::send($address, 'GET /users/jane', ['Authorization: Bearer alice'])[0]);
        self::assertSame(403, self::send($address, 'GET /users/jane', ['Authorization: Bearer tom'])[0]);
    }

    public function testInCode(): void
    {
        $this->startSidecar();
        $this->paste('obligations.php', self::blocks()['obligations.php']);
        $text = self::replaced(self::blocks()['deactivate.php'], 'unix:/run/wardkeeper/pdp.sock', "unix:$this->folder/pdp.sock");
        $text = self::replaced($text, 'session_start();', '$_SESSION = ["person" => "alice", "location" => "metro"];');
        $address = $this->serve($this->paste('deactivate.php', $text), []);
        $fields = ['Content-Type: application/x-www-form-urlencoded', 'Content-Length: 7'];
        [$status, , $body] = self::send($address, 'POST /deactivate.php', $fields, 'id=jane');
        self::assertSame(403, $status, $body);
        self::assertStringContainsString('"code":"', $body);
    }

    public function testObligations(): void
    {
        $handlers = require $this->paste('obligations.php', self::blocks()['obligations.php']);
        self::assertSame(['custom', 'notification'], (new Enforcer(new Client(new FakePdp()), $handlers))->supportedObligations());
    }

    public function testTesting(): void
    {
        $this->paste('UserTest.php', self::blocks()['UserTest.php']);
        exec('phpunit --do-not-cache-result --bootstrap ' . dirname(__DIR__) . "/autoload.php $this->folder/UserTest.php", $said, $status);
        self::assertSame(0, $status, implode("\n", $said));
    }

    public function testNothingIsLeftOut(): void
    {
        self::assertSame(['protect.php', 'index.php', 'deactivate.php', 'obligations.php', 'UserTest.php'], array_keys(self::blocks()));
    }
}
