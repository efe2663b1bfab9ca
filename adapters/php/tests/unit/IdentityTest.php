<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Tests\Unit;

use PHPUnit\Framework\TestCase;
use Wardkeeper\Pep\Cache;
use Wardkeeper\Pep\Identity\Base64Url;
use Wardkeeper\Pep\Identity\FileKeys;
use Wardkeeper\Pep\Identity\KeysUnavailable;
use Wardkeeper\Pep\Identity\RemoteKeys;
use Wardkeeper\Pep\Identity\TokenInvalid;
use Wardkeeper\Pep\Identity\Verifier;
use Wardkeeper\Pep\Tests\Programs;

final class IdentityTest extends TestCase
{
    private const NOW = 1_700_000_000;

    private string $folder;

    protected function setUp(): void
    {
        $this->folder = sys_get_temp_dir() . '/identity-' . bin2hex(random_bytes(4));
        mkdir($this->folder, 0700);
    }

    protected function tearDown(): void
    {
        array_map(unlink(...), glob("$this->folder/*") ?: []);
        rmdir($this->folder);
    }

    /** Makes a key with OpenSSL's program, and returns its member of a key set.
     *
     * @return array<string, string>
     */
    private function key(string $id, string $kind): array
    {
        $options = match ($kind) {
            'RSA' => '-algorithm RSA -pkeyopt rsa_keygen_bits:2048',
            'short' => '-algorithm RSA -pkeyopt rsa_keygen_bits:1024',
            'odd' => '-algorithm RSA -pkeyopt rsa_keygen_bits:2049',
            'Ed25519' => '-algorithm ED25519',
            default => "-algorithm EC -pkeyopt ec_paramgen_curve:$kind",
        };
        exec("openssl genpkey $options -out $this->folder/$id.pem 2>/dev/null", $_, $status);
        self::assertSame(0, $status);
        if ($kind === 'Ed25519') {
            $der = shell_exec("openssl pkey -in $this->folder/$id.pem -pubout -outform DER");
            return ['kty' => 'OKP', 'crv' => 'Ed25519', 'kid' => $id, 'x' => Base64Url::encode(substr($der, -32))];
        }
        $details = openssl_pkey_get_details(openssl_pkey_get_private("file://$this->folder/$id.pem"));
        return ['kid' => $id] + (isset($details['rsa'])
            ? ['kty' => 'RSA', 'n' => Base64Url::encode($details['rsa']['n']), 'e' => Base64Url::encode($details['rsa']['e'])]
            : ['kty' => 'EC', 'crv' => $kind] + self::point($details['ec'], (int) ceil($details['bits'] / 8)));
    }

    /** @return array<string, string> */
    private static function point(array $ec, int $size): array
    {
        return array_map(
            static fn (string $n) => Base64Url::encode(str_pad($n, $size, "\0", STR_PAD_LEFT)),
            ['x' => $ec['x'], 'y' => $ec['y']]
        );
    }

    /** Signs a token with OpenSSL's program.
     *
     * @param array<string, mixed> $claims
     */
    private function token(string $id, string $algorithm, array $claims = [], string $header = ''): string
    {
        $claims += ['iss' => 'https://i', 'aud' => ['x', 'a'], 'sub' => 'alice', 'exp' => self::NOW + 60];
        $text = Base64Url::encode($header ?: "{\"alg\":\"$algorithm\",\"kid\":\"$id\"}") . '.' . Base64Url::encode(json_encode($claims));
        file_put_contents("$this->folder/text", $text);
        $hash = '-sha' . substr($algorithm, 2);
        $key = "$this->folder/$id.pem";
        $signature = (string) shell_exec(match (substr($algorithm, 0, 2)) {
            'Ed' => "openssl pkeyutl -sign -rawin -inkey $key -in $this->folder/text",
            'PS' => "openssl dgst $hash -sign $key -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest $this->folder/text",
            default => "openssl dgst $hash -sign $key $this->folder/text",
        });
        if (str_starts_with($algorithm, 'ES')) {
            $size = ['ES256' => 32, 'ES384' => 48, 'ES512' => 66][$algorithm];
            $at = ord($signature[1]) === 0x81 ? 3 : 2;
            $halves = '';
            foreach ([0, 1] as $_) {
                $length = ord($signature[$at + 1]);
                $halves .= str_pad(ltrim(substr($signature, $at + 2, $length), "\0"), $size, "\0", STR_PAD_LEFT);
                $at += 2 + $length;
            }
            $signature = $halves;
        }
        return "$text." . Base64Url::encode($signature);
    }

    /** @param list<array<string, mixed>> $keys */
    private function verifier(array $keys, array $algorithms): Verifier
    {
        file_put_contents("$this->folder/keys.json", json_encode(['keys' => $keys]));
        return new Verifier(new FileKeys("$this->folder/keys.json"), 'https://i', 'a', $algorithms, now: static fn () => self::NOW);
    }

    private static function assertInvalid(Verifier $verifier, string $token, string $message): void
    {
        try {
            $verifier->verify($token);
        } catch (TokenInvalid $error) {
            self::assertStringContainsString($message, $error->getMessage());
            return;
        }
        self::fail("it is valid: $message");
    }

    public function testEveryAlgorithmVerifiesItsSignaturesAlone(): void
    {
        $kinds = ['R' => 'RSA', 'O' => 'odd', 'E256' => 'P-256', 'E384' => 'P-384', 'E512' => 'P-521', 'Ed' => 'Ed25519'];
        $keys = [];
        foreach ($kinds as $id => $kind) {
            $keys[$id] = $this->key($id, $kind);
        }
        $signers = [
            'RS256' => 'R', 'RS384' => 'R', 'RS512' => 'R', 'PS256' => 'R', 'PS384' => 'O', 'PS512' => 'O', 'ES256' => 'E256',
            'ES384' => 'E384', 'ES512' => 'E512', 'EdDSA' => 'Ed',
        ];
        $verifier = $this->verifier(array_values($keys), array_keys($signers));
        foreach ($signers as $algorithm => $id) {
            $token = $this->token($id, $algorithm);
            self::assertSame('alice', $verifier->verify($token)['sub'], $algorithm);
            [$header, $claims, $signature] = explode('.', $token);
            $bytes = Base64Url::decode($signature);
            foreach ([0, strlen($bytes) - 1] as $at) {
                $changed = $bytes;
                $changed[$at] = chr(ord($changed[$at]) ^ 1);
                self::assertInvalid($verifier, "$header.$claims." . Base64Url::encode($changed), 'signature');
            }
            self::assertInvalid($verifier, "$header.$claims." . Base64Url::encode(substr($bytes, 1)), 'signature');
            self::assertInvalid($verifier, "$header.$claims.", 'signature');
            $other = Base64Url::encode('{"iss":"https://i","aud":"a","sub":"bob","exp":' . (self::NOW + 60) . '}');
            self::assertInvalid($verifier, "$header.$other.$signature", 'signature');
        }
        $pss = $this->token('R', 'RS256', [], '{"alg":"PS256","kid":"R"}');
        self::assertInvalid($verifier, $pss, 'signature');
    }

    public function testATokenHasToBeForUsAndNow(): void
    {
        $verifier = $this->verifier([$this->key('k', 'P-256')], ['ES256']);
        self::assertSame('alice', $verifier->verify($this->token('k', 'ES256', ['nbf' => self::NOW + 59]))['sub']);
        foreach (
            [
                'another issuer' => ['iss' => 'https://j'], 'another audience' => ['aud' => 'b'], 'does not expire' => ['exp' => 'x'],
                'has expired' => ['exp' => self::NOW - 60], 'not valid yet' => ['nbf' => self::NOW + 61],
            ] as $message => $claims
        ) {
            self::assertInvalid($verifier, $this->token('k', 'ES256', $claims), $message);
        }
        foreach (
            [
                '{"alg":"ES256","kid":"k","crit":[]}' => 'extension', '{"alg":"ES256","alg":"ES256","kid":"k"}' => 'malformed',
                '{"alg":"none"}' => 'algorithm', '{"alg":"HS256","kid":"k"}' => 'algorithm', '{"alg":"ES256","kid":"l"}' => 'no such key',
                '{"alg":"ES256","kid":"k","typ":"dpop+jwt"}' => 'access token', '{"alg":"ES384","kid":"k"}' => 'algorithm',
            ] as $header => $message
        ) {
            self::assertInvalid($verifier, $this->token('k', 'ES256', [], $header), $message);
        }
        foreach (['', 'a.b', 'a.b.c.d', str_repeat('a', 17_000), $this->token('k', 'ES256') . '='] as $token) {
            self::assertInvalid($verifier, $token, 'token');
        }
    }

    public function testKeysThatDoNotVerifyAreNotUsed(): void
    {
        $key = $this->key('k', 'P-256');
        foreach (
            [['use' => 'enc'], ['key_ops' => ['sign']], ['alg' => 'ES384'], ['d' => 'AA'], ['x' => $key['y']], ['x' => 'AA'],
            ['crv' => 'P-384']] as $change
        ) {
            $verifier = $this->verifier([array_replace($key, $change)], ['ES256']);
            try {
                $verifier->verify($this->token('k', 'ES256'));
                self::fail(json_encode($change));
            } catch (TokenInvalid | KeysUnavailable) {
                self::addToAssertionCount(1);
            }
        }
        $this->expectException(KeysUnavailable::class);
        $this->verifier([$this->key('s', 'short')], ['RS256'])->verify($this->token('s', 'RS256'));
    }

    public function testAFileIsReadAgainWhenItHasChanged(): void
    {
        $key = $this->key('k', 'P-256');
        $verifier = $this->verifier([$key], ['ES256']);
        $token = $this->token('k', 'ES256');
        $verifier->verify($token);
        file_put_contents("$this->folder/keys.json", 'broken');
        self::assertSame('alice', $verifier->verify($token)['sub'], 'the last good one is used');
        file_put_contents("$this->folder/keys.json", json_encode(['keys' => [['kid' => 'l'] + $key]]));
        self::assertInvalid($verifier, $token, 'no such key');
    }

    public function testKeysAreFetchedOnceForAllRequests(): void
    {
        $body = json_encode(['keys' => [$this->key('k', 'P-256')]]);
        $count = "$this->folder/count";
        $address = Programs::serve(static function ($connection) use ($body, $count): void {
            fread($connection, 8192);
            file_put_contents($count, 'x', FILE_APPEND);
            $length = strlen($body);
            fwrite($connection, "HTTP/1.1 200 OK\r\nContent-Type: application/jwk-set+json\r\nContent-Length: $length\r\n\r\n$body");
        });
        $time = self::NOW;
        $cache = new Cache("$this->folder-cache");
        $find = static function (string $id) use ($address, $cache, &$time): array {
            return (new RemoteKeys("http://$address/keys", $cache, now: static function () use (&$time) {
                return $time;
            }))->find('ES256', $id);
        };
        try {
            self::assertCount(1, $find('k'));
            self::assertCount(1, $find('k'));
            self::assertSame('x', file_get_contents($count));
            foreach (['l', 'm'] as $unknown) { // invented ids cause no fetch
                try {
                    $find($unknown);
                    self::fail('it was found');
                } catch (TokenInvalid) {
                    self::assertSame('x', file_get_contents($count));
                }
            }
            $time += 601;
            self::assertCount(1, $find('k'));
            self::assertSame('xx', file_get_contents($count), 'old keys are fetched again');
            chmod("$this->folder-cache", 0777);
            $this->expectException(KeysUnavailable::class);
            $find('k');
        } finally {
            array_map(unlink(...), glob("$this->folder-cache/*") ?: []);
            rmdir("$this->folder-cache");
        }
    }

    public function testKeysThatCannotBeFetchedAreNotMissing(): void
    {
        $cache = new Cache("$this->folder-cache");
        $keys = new RemoteKeys('http://' . Programs::freeAddress() . '/keys', $cache, now: static fn () => self::NOW);
        try {
            foreach ([1, 2] as $_) {
                try {
                    $keys->find('ES256', 'k');
                    self::fail('it was found');
                } catch (KeysUnavailable) {
                    self::addToAssertionCount(1);
                }
            }
        } finally {
            array_map(unlink(...), glob("$this->folder-cache/*") ?: []);
            rmdir("$this->folder-cache");
        }
    }
}
