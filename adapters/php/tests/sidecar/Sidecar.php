<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Tests\Sidecar;

use Wardkeeper\Pep\Identity\Base64Url;
use Wardkeeper\Pep\Tests\Programs;

/** What the tests with a sidecar share. They need the programs wardkeeper and serve (testdata/clinic) in the folder BIN. */
trait Sidecar
{
    private Programs $programs;
    private string $folder;
    /** @var list<\OpenSSLAsymmetricKey> that of the issuer, and another one */
    private array $keys;

    protected function setUp(): void
    {
        $this->programs = new Programs();
        $this->folder = sys_get_temp_dir() . '/sidecar-' . bin2hex(random_bytes(4));
        mkdir($this->folder);
        foreach ([0, 1] as $i) {
            $this->keys[$i] = openssl_pkey_new(['private_key_type' => OPENSSL_KEYTYPE_EC, 'curve_name' => 'prime256v1']);
        }
        $point = array_map(
            static fn (string $n) => Base64Url::encode(str_pad($n, 32, "\0", STR_PAD_LEFT)),
            array_intersect_key(openssl_pkey_get_details($this->keys[0])['ec'], ['x' => 0, 'y' => 0])
        );
        $set = ['keys' => [['kty' => 'EC', 'crv' => 'P-256', 'kid' => 'k1'] + $point]];
        file_put_contents("$this->folder/jwks.json", json_encode($set));
    }

    protected function tearDown(): void
    {
        $this->programs->stopAll();
        exec('rm -rf ' . escapeshellarg($this->folder));
    }

    private static function root(): string
    {
        return getenv('CHECKOUT') ?: dirname(__DIR__, 4);
    }

    private static function bin(): string
    {
        return getenv('BIN') ?: self::root() . '/bin';
    }

    /** Starts a sidecar, and returns the number of its process. Its URL is unix:FOLDER/pdp.sock. */
    private function startSidecar(): int
    {
        $number = $this->programs->start([
            self::bin() . '/wardkeeper', 'serve', '--addr', "unix:$this->folder/pdp.sock",
            '--directory', self::root() . '/testdata/directories/sample.yaml',
        ]);
        Programs::awaitListener("unix://$this->folder/pdp.sock");
        return $number;
    }

    /** Serves a page with php-fpm, or PHP's own server ("cli"), behind nginx, and returns the address.
     *
     * @param array<string, string> $environment
     */
    private function serve(string $page, array $environment, string $server = 'fpm'): string
    {
        $address = Programs::freeAddress();
        $command = [dirname(__DIR__) . '/samples/serve', $page, $server];
        $environment += [
            'LISTEN_ADDR' => $address, 'PDP_URL' => "unix:$this->folder/pdp.sock", 'PDP_TIMEOUT' => '20', 'UNDERSCORES' => 'on',
            'AUTOLOAD' => dirname(__DIR__) . '/autoload.php',
        ];
        $this->programs->start($command, $environment, "$this->folder/log");
        Programs::awaitListener("tcp://$address");
        return $address;
    }

    /** Returns a token of a person; "expired" or "forged" if it is to be none.
     *
     * @param array<string, mixed> $more claims
     */
    private function token(string $person, string $kind = '', array $more = []): string
    {
        $claims = ['iss' => 'https://idp.example.org', 'aud' => 'user-admin', 'sub' => $person];
        $claims += ['exp' => time() + ($kind === 'expired' ? -3600 : 3600)] + $more;
        $text = Base64Url::encode('{"alg":"ES256","kid":"k1"}') . '.' . Base64Url::encode(json_encode($claims));
        openssl_sign($text, $der, $this->keys[$kind === 'forged' ? 1 : 0], 'sha256');
        $first = ord($der[3]);
        $halves = [substr($der, 4, $first), substr($der, 6 + $first)];
        $signature = implode('', array_map(static fn (string $n) => str_pad(ltrim($n, "\0"), 32, "\0", STR_PAD_LEFT), $halves));
        return "$text." . Base64Url::encode($signature);
    }

    /** Sends a request as it is, and returns the status, the header and the body.
     *
     * @param list<string> $fields
     * @return array{int, string, string}
     */
    private static function send(string $address, string $request, array $fields = [], string $body = ''): array
    {
        $connection = stream_socket_client("tcp://$address");
        stream_set_timeout($connection, 60);
        fwrite($connection, implode("\r\n", ["$request HTTP/1.1", 'Host: clinic.example.org', 'Connection: close', ...$fields, '', $body]));
        [$head, $rest] = explode("\r\n\r\n", (string) stream_get_contents($connection), 2) + [1 => ''];
        if (preg_match('/^Transfer-Encoding: chunked/mi', $head) === 1) {
            $rest = rtrim(preg_replace('/(?:\A|\r\n)[0-9a-f]+\r\n/', '', $rest), "\r\n");
        }
        return [(int) explode(' ', $head)[1], $head, $rest];
    }
}
