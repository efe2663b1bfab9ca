<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Tests\Sidecar;

use PHPUnit\Framework\TestCase;
use Wardkeeper\Pep\BadStatus;
use Wardkeeper\Pep\Client;
use Wardkeeper\Pep\Evaluation;

require_once __DIR__ . '/Sidecar.php';

/** Two administrators may both make a change to a user, and only one of them claims it. */
final class ClaimTest extends TestCase
{
    use Sidecar;

    public function testChangesThatRace(): void
    {
        $this->startSidecar();
        $client = new Client("unix:$this->folder/pdp.sock", timeout: 20);
        $client->discover();
        $context = ['current_location' => 'metro', 'include' => ['guard']];
        [$first, $second] = array_map(
            static fn (string $subject) => Evaluation::of($subject, 'assignment.remove', 'jane', 'abc', $context),
            ['alice', 'rafael']
        );
        [$guard, $other] = [$client->evaluate($first)->guard(), $client->evaluate($second)->guard()];
        try {
            $client->claim($first, $other);
            self::fail('it was claimed');
        } catch (BadStatus $error) {
            self::assertSame(400, $error->status);
        }
        $claimed = $client->claim($first, $guard);
        self::assertTrue($claimed->claimed && $claimed->evaluation->decision, $claimed->code);
        $refused = $client->claim($second, $other);
        self::assertSame([false, 'taken', true], [$refused->claimed, $refused->code, $refused->evaluation->decision]);
        self::assertNotSame('', $refused->evaluation->guard());
    }
}
