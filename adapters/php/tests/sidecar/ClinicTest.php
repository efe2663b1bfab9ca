<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Tests\Sidecar;

use PHPUnit\Framework\TestCase;
use Symfony\Component\Yaml\Yaml;
use Wardkeeper\Pep\Tests\Programs;

require_once __DIR__ . '/Sidecar.php';

/** The script of the demonstration application (testdata/clinic), through the front of the example behind nginx. */
final class ClinicTest extends TestCase
{
    use Sidecar;

    public function testTheScript(): void
    {
        $clinic = self::root() . '/testdata/clinic';
        $routes = str_replace('keys_file: jwks.json', "keys_file: $this->folder/jwks.json", file_get_contents("$clinic/routes.yaml"));
        file_put_contents("$this->folder/routes.yaml", $routes);
        $pdp = $this->startSidecar();
        $upstream = Programs::freeAddress();
        $this->programs->start([self::bin() . '/serve', '--addr', $upstream, '--directory', self::root() . '/testdata/directories/sample.yaml']);
        Programs::awaitListener("tcp://$upstream");
        $front = $this->serve(dirname(__DIR__, 2) . '/example/front.php', [
            'UPSTREAM' => $upstream, 'ROUTES_FILE' => "$this->folder/routes.yaml",
        ], 'cli'); // nginx before 1.23 passes on only the last of two fields to php-fpm
        $cases = Yaml::parseFile("$clinic/script.yaml")['cases'];
        self::assertGreaterThan(40, count($cases));
        $stopped = false;
        foreach ($cases as $case) {
            if (($case['stopped'] ?? false) && !$stopped) {
                $this->programs->stop($pdp);
                $stopped = true;
            }
            file_get_contents("http://$upstream/journal"); // without earlier entries
            $this->check($case, $front, $upstream);
        }
    }

    /** @param array<string, mixed> $case */
    private function check(array $case, string $front, string $upstream): void
    {
        [$name, $status, $code, $page] = [$case['name'], $case['status'], $case['code'] ?? '', $case['page'] ?? false];
        [$person, $place] = explode('@', $case['as'] ?? '', 2) + [1 => null];
        $fields = $place === null ? [] : ['Authorization: Bearer ' . $this->token($person, $case['token'] ?? ''), "X-Location: $place"];
        $body = $case['body'] ?? '';
        $fields = [...$fields, ...$case['headers'] ?? []];
        if ($case['chunked'] ?? false) {
            $fields[] = 'Transfer-Encoding: chunked';
            $body = dechex(strlen($body)) . "\r\n$body\r\n0\r\n\r\n";
        } elseif ($body !== '') {
            $fields[] = 'Content-Length: ' . strlen($body);
        }
        [$got, $head, $text] = self::send($front, $case['request'], $fields, $body);
        $passes = $case['passes'] ?? $status < 400;
        $entries = json_decode(file_get_contents("http://$upstream/journal"), true);
        if ($got === 400 && $status === 400 && !str_contains($head, 'X-Request-ID')) {
            self::assertSame([], $entries, $name); // nginx itself has refused it
            return;
        }
        self::assertSame($status, $got, "$name: $text");
        self::assertStringContainsString($case['contains'] ?? '', $text, $name);
        self::assertStringNotContainsStringIgnoringCase('X-Wardkeeper-', $head);
        $person = $case['person'] ?? $person;
        self::assertSame([...($passes ? ["$case[request] by $person"] : []), ...$case['did'] ?? []], $entries, $name);
        if ($passes) {
            self::assertStringContainsStringIgnoringCase("X-Clinic-Person: $person", $head, $name);
        } elseif ($page) {
            self::assertStringContainsString('Content-Type: text/html; charset=utf-8', $head, $name);
        } elseif ($code !== '') {
            $problem = json_decode($text, true);
            self::assertSame([$code, $status], [$problem['code'], $problem['status']], $name);
            foreach (['reason' => ['reasons', 'code'], 'rule' => ['reasons', 'rule'], 'advice' => ['advice', 'code']] as $key => [$list, $member]) {
                if (isset($case[$key])) {
                    self::assertSame($case[$key], $problem[$list][0][$member], $name);
                }
            }
        }
        if (!$passes && ($page || $code !== '')) {
            self::assertStringContainsString('Cache-Control: no-store', $head, $name);
            self::assertSame($status === 503, str_contains($head, 'Retry-After:'), $name);
            self::assertSame($status === 401, str_contains($head, 'WWW-Authenticate:'), $name);
        }
    }
}
