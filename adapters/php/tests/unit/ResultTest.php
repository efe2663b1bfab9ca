<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Tests\Unit;

use PHPUnit\Framework\TestCase;
use Wardkeeper\Pep\Client;
use Wardkeeper\Pep\Enforcer;
use Wardkeeper\Pep\Evaluation;
use Wardkeeper\Pep\Handler;
use Wardkeeper\Pep\Refusal;
use Wardkeeper\Pep\Result;
use Wardkeeper\Pep\Testing\FakePdp;
use Wardkeeper\Pep\Trace;
use Wardkeeper\Pep\Verdict;

final class ResultTest extends TestCase
{
    public function testAnApplicationBehindIsTold(): void
    {
        $pdp = new FakePdp();
        $pdp->permit('user.view', [['id' => 'T/mail', 'type' => 'notification', 'properties' => ['to' => 'Jürgen "J"', 'n' => [1.5]]]]);
        $outcome = (new Enforcer(new Client($pdp), ['notification' => new Handler()]))->enforce(Evaluation::of('a', 'user.view', 'j'));
        self::assertSame([
            'X-Wardkeeper-Subject' => 'j%C3%BCrg%0D%0A:@',
            'X-Wardkeeper-Obligations' => '[{"id":"T/mail","type":"notification","properties":{"to":"J\u00fcrgen \"J\"","n":[1.5]}}]',
            'X-Request-ID' => 'r-1',
        ], (new Result(null, "jürg\r\n:@", $outcome, trace: new Trace('r-1')))->fields());
        $public = (new Result(null, trace: new Trace('r-2')))->fields();
        self::assertSame(['', '[]', 'r-2'], array_values($public));
    }

    public function testABeforeHandlerThatThrowsDenies(): void
    {
        $done = [];
        $pdp = new FakePdp();
        $pdp->permit('user.view', [['id' => 'T/1', 'type' => 'notification'], ['id' => 'T/2', 'type' => 'session_termination']]);
        $enforcer = new Enforcer(new Client($pdp), [
            'notification' => new Handler(before: static fn () => throw new \Exception('jane')),
            'session_termination' => new Handler(before: static function ($obligation) use (&$done): void {
                $done[] = $obligation->id;
            }),
        ]);
        $outcome = $enforcer->enforce(Evaluation::of('alice', 'user.view', 'jane'));
        self::assertSame(Verdict::Denied, $outcome->verdict);
        self::assertSame('obligation_unsupported', $outcome->reasons[0]->code);
        self::assertSame(['T/2'], $done);
        self::assertStringNotContainsString('jane', $outcome->error);
        self::assertSame([], $outcome->done());
    }

    public function testHandlersAreForKindsThatThereAre(): void
    {
        foreach (['', 'custom', 'custom/', 'notification/x', '/x'] as $kind) {
            try {
                new Enforcer(new Client(new FakePdp()), [$kind => new Handler()]);
                self::fail($kind);
            } catch (\InvalidArgumentException) {
                self::addToAssertionCount(1);
            }
        }
    }

    public function testAPageShowsTextsAsTheyAre(): void
    {
        $page = (new Refusal(403, 'denied', '<b>You & I</b>', requestId: 'r-1'))->body('text/html;q=0.9, */*');
        self::assertStringContainsString('&lt;b&gt;You &amp; I&lt;/b&gt;', $page);
        foreach (['text/html;q=0', '*/*', 'text/htmlx', '', 'application/json'] as $accept) {
            self::assertStringStartsWith('{', (new Refusal(403, 'denied', 'No.'))->body($accept), $accept);
        }
    }

    public function testWarningsAreShownWithWhatIsPermitted(): void
    {
        $pdp = new FakePdp();
        $pdp->permit('user.edit', [['id' => 'T/w', 'type' => 'custom', 'properties' => ['action' => 'warn', 'cause' => 'no_role']]]);
        $outcome = (new Enforcer(new Client($pdp), [Handler::WARN => new Handler()]))->enforce(Evaluation::of('a', 'user.edit', 'j'));
        self::assertSame(['no_role'], $outcome->warnings());
        self::assertSame(Verdict::Denied, (new Enforcer(new Client($pdp)))->enforce(Evaluation::of('a', 'user.edit', 'j'))->verdict);
    }
}
