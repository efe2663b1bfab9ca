<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Tests\Unit;

use GuzzleHttp\Client as Guzzle;
use Nyholm\Psr7\Factory\Psr17Factory;
use PHPUnit\Framework\TestCase;
use Wardkeeper\Pep\BadStatus;
use Wardkeeper\Pep\Claim;
use Wardkeeper\Pep\Client;
use Wardkeeper\Pep\Evaluation;
use Wardkeeper\Pep\NoAnswer;
use Wardkeeper\Pep\Psr\Transport;
use Wardkeeper\Pep\Response;
use Wardkeeper\Pep\Testing\FakePdp;
use Wardkeeper\Pep\Tests\Programs;
use Wardkeeper\Pep\Unreachable;

final class ClaimTest extends TestCase
{
    private const ALLOW = '"evaluation":{"decision":true,"context":{"guard":{"token":"next"}}}';
    private const DENY = '"evaluation":{"decision":false}';
    private const CLAIMED = '{"claimed":true,"expires":"2026-03-02T07:41:00.500Z",' . self::ALLOW . '}';

    private static function question(string $place = 'abc', string ...$include): Evaluation
    {
        return Evaluation::of('alice', 'assignment.remove', 'jane', $place, ['include' => $include ?: ['guard']]);
    }

    public function testAGuardIsClaimedOnce(): void
    {
        $pdp = new FakePdp();
        $pdp->permit('assignment.remove');
        $client = new Client($pdp);
        $client->discover();
        $guard = $client->evaluate(self::question())->guard();
        $first = $client->claim(self::question(), $guard);
        self::assertTrue($first->claimed && $first->evaluation->decision);
        self::assertGreaterThan(time() - 60, $first->expires->getTimestamp());
        self::assertSame($guard, $pdp->asked[1]->message['guard']);

        $second = $client->claim(self::question(), $guard);
        self::assertSame([false, 'taken'], [$second->claimed, $second->code]);
        self::assertNotSame($guard, $second->evaluation->guard());
        self::assertTrue($client->claim(self::question(), $second->evaluation->guard())->claimed);

        $last = $client->evaluate(self::question())->guard();
        $pdp->deny('assignment.remove');
        $denied = $client->claim(self::question(), $last);
        self::assertSame([false, 'denied', false], [$denied->claimed, $denied->code, $denied->evaluation->decision]);
        self::assertSame('', $denied->evaluation->guard());
    }

    public function testAGuardIsOfItsQuestion(): void
    {
        $pdp = new FakePdp();
        $pdp->permit('assignment.remove');
        $client = new Client($pdp);
        self::assertSame('', $client->evaluate(self::question('abc', 'freshness'))->guard());
        $guard = $client->evaluate(self::question())->guard();
        foreach ([['abc', ''], ['ghi', $guard]] as [$place, $claimed]) {
            try {
                $client->claim(self::question($place), $claimed);
                self::fail('it was claimed');
            } catch (BadStatus $error) {
                self::assertSame(400, $error->status);
            }
        }
        self::assertTrue($client->claim(self::question(), $guard)->claimed);
    }

    /** Starts a server that answers claims by their guards and questions by "", breaks off the connection otherwise, and notes requests.
     *
     * @param array<string, string> $answers
     */
    private static function serving(string $notes, array $answers): string
    {
        return 'http://' . Programs::serve(static function ($connection) use ($notes, $answers): void {
            do {
                $head = (string) stream_get_line($connection, 1 << 16, "\r\n\r\n");
                if ($head === '') {
                    return;
                }
                preg_match('/Content-Length: ([0-9]+)/', $head, $length);
                $body = stream_get_contents($connection, (int) $length[1]);
                file_put_contents($notes, strtok($head, ' ') . ' ' . strtok(' ') . " $body\n", FILE_APPEND);
                $answer = $answers[json_decode($body)->guard ?? ''] ?? '';
                fwrite($connection, $answer);
            } while ($answer !== '');
        });
    }

    private static function answer(int $status, string $body): string
    {
        return "HTTP/1.1 $status Status\r\nContent-Type: application/json\r\nContent-Length: " . strlen($body) . "\r\n\r\n$body";
    }

    /** @return list<array{int, string, ?Claim}> the answer, and what it means; null if it is none */
    public static function answers(): array
    {
        $next = new Response(true, ['guard' => (object) ['token' => 'next']]);
        $expires = static fn (string $time) => new \DateTimeImmutable($time);
        $claimed = static fn (string $expires) => '{"claimed":true,"expires":"' . $expires . '","evaluation":{"decision":true}}';
        return [
            [200, self::CLAIMED, new Claim(true, $next, $expires('2026-03-02T07:41:00.5Z'))],
            [200, $claimed('2026-03-02T07:41:00+01:00'), new Claim(true, new Response(true), $expires('2026-03-02T06:41:00Z'))],
            [409, '{"claimed":false,"code":"changed","error":"x",' . self::ALLOW . '}', new Claim(false, $next, code: 'changed')],
            [409, '{"claimed":false,"code":"denied","error":"x",' . self::DENY . '}', new Claim(false, new Response(false), code: 'denied')],
            [200, '{"claimed":false,"code":"denied",' . self::DENY . '}', null],
            [409, self::CLAIMED, null], [503, self::CLAIMED, null], [201, self::CLAIMED, null],
            [200, '{"claimed":true,"expires":"2026-03-02T07:41:00Z",' . self::DENY . '}', null],
            [200, $claimed('soon'), null], [200, $claimed('2026-02-30T07:41:00Z'), null],
            [200, $claimed('2026-03-02T07:41:00CET'), null], [200, $claimed('2026-03-02T07:41:00'), null],
            [200, '{"claimed":true,' . self::ALLOW . '}', null],
            [200, '{"claimed":true,"expires":"2026-03-02T07:41:00Z"}', null],
            [200, '{"claimed":"true","expires":"2026-03-02T07:41:00Z",' . self::ALLOW . '}', null],
            [200, '{"decision":true}', null], [409, '{"claimed":false,' . self::DENY . '}', null],
            [409, '{"code":"denied",' . self::DENY . '}', null], [409, '{"claimed":false,"code":"denied"}', null], [409, '{}', null],
        ];
    }

    public function testTheAnswerIsDecoded(): void
    {
        $notes = tempnam(sys_get_temp_dir(), 'notes');
        $answers = [];
        foreach (self::answers() as $i => [$status, $body]) {
            $answers["g$i"] = self::answer($status, $body);
        }
        $psr = new Transport(self::serving($notes, $answers), new Guzzle(['timeout' => 20, 'http_errors' => false]), new Psr17Factory());
        foreach ([new Client(self::serving($notes, $answers), timeout: 20), new Client($psr, timeout: 20)] as $client) {
            foreach (self::answers() as $i => [$status, $body, $means]) {
                file_put_contents($notes, '');
                try {
                    $got = $client->claim(self::question(), "g$i");
                } catch (NoAnswer) {
                    $got = null;
                }
                self::assertEquals($means, $got, "$status $body");
                $sent = file($notes);
                self::assertCount(1, $sent, "$status $body");
                self::assertStringStartsWith('POST /v1/guards/claim {"subject":', $sent[0]);
                self::assertStringEndsWith(",\"guard\":\"g$i\"}\n", $sent[0]);
            }
        }
        unlink($notes);
    }

    public function testAConflictIsNoAnswerToAQuestion(): void
    {
        $url = self::serving('/dev/null', ['' => self::answer(409, '{"decision":true}')]);
        $this->expectException(BadStatus::class);
        (new Client($url, timeout: 20))->evaluate(self::question());
    }

    public function testAClaimIsNotRepeated(): void
    {
        foreach ([false, true] as $kept) { // whether there is a connection before
            $notes = tempnam(sys_get_temp_dir(), 'notes');
            $client = new Client(self::serving($notes, ['' => self::answer(200, '{"decision":true}')]), timeout: 20);
            if ($kept) {
                $client->evaluate(self::question());
            }
            try {
                $client->claim(self::question(), 't0ken');
                self::fail('it was answered');
            } catch (Unreachable) {
                self::assertCount($kept ? 2 : 1, file($notes));
            }
            unlink($notes);
        }
    }
}
