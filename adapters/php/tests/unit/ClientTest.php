<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Tests\Unit;

use GuzzleHttp\Client as Guzzle;
use Nyholm\Psr7\Factory\Psr17Factory;
use PHPUnit\Framework\TestCase;
use Wardkeeper\Pep\Action;
use Wardkeeper\Pep\Client;
use Wardkeeper\Pep\Entity;
use Wardkeeper\Pep\Evaluation;
use Wardkeeper\Pep\Hit;
use Wardkeeper\Pep\NoAnswer;
use Wardkeeper\Pep\Psr\Transport;
use Wardkeeper\Pep\Search;
use Wardkeeper\Pep\Testing\FakePdp;
use Wardkeeper\Pep\Tests\Programs;
use Wardkeeper\Pep\TimedOut;
use Wardkeeper\Pep\Trace;
use Wardkeeper\Pep\Unreachable;

final class ClientTest extends TestCase
{
    private Programs $programs;

    protected function setUp(): void
    {
        $this->programs = new Programs();
    }

    protected function tearDown(): void
    {
        Trace::use(new Trace());
        $this->programs->stopAll();
    }

    private static function question(string $resource = 'jane'): Evaluation
    {
        return Evaluation::of('alice', 'user.view', $resource, 'ghi', ['current_location' => 'metro']);
    }

    public function testQuestionsAreSplit(): void
    {
        $pdp = new FakePdp();
        $pdp->answer('user.view', static fn ($asked) => ['decision' => $asked->resource === '4']);
        $questions = array_map(self::question(...), array_map(strval(...), range(0, 9)));
        $answers = (new Client($pdp, batchSize: 3))->decide($questions);
        self::assertSame([4], array_keys(array_filter($answers, static fn ($answer) => $answer->decision)));
        self::assertCount(10, $pdp->asked);
        self::assertSame(['location' => 'ghi'], get_object_vars($pdp->asked[0]->message['resource']->properties));
    }

    public function testAListHasPages(): void
    {
        $pdp = new FakePdp();
        foreach (range(1, 7) as $i) {
            $pdp->lists['resource'][] = ['type' => 'user', 'id' => "u$i"];
        }
        $pdp->lists['action'] = [['name' => 'user.view']];
        $client = new Client($pdp);
        $search = new Search(new Entity('user', 'alice'), new Action('user.view'), new Entity('user'), limit: 3);
        $ids = array_map(static fn (Hit $hit) => $hit->id, iterator_to_array($client->searchResources($search), false));
        self::assertSame(['u1', 'u2', 'u3', 'u4', 'u5', 'u6', 'u7'], $ids);
        self::assertSame('3', $client->page('resource', $search)->nextToken);
        self::assertSame('user.view', $client->searchActions($search)->current()->name);
        self::assertSame([], iterator_to_array($client->searchSubjects($search)));
        $client->discover();
        self::assertCount(7, iterator_to_array($client->searchResources($search), false));
    }

    public function testAListThatReturnsToAPageEnds(): void
    {
        $body = '{"results":[{"type":"user","id":"u"}],"page":{"next_token":"again"}}';
        $address = self::answering($body);
        $this->expectExceptionMessage('continues the list where it has been');
        iterator_to_array((new Client("http://$address", timeout: 20))->searchResources(new Search(resource: new Entity('user'))), false);
    }

    /** Starts a server that answers every request of a connection with a body. */
    private static function answering(string $body, string $fields = ''): string
    {
        return Programs::serve(static function ($connection) use ($body, $fields): void {
            while (($head = stream_get_line($connection, 1 << 16, "\r\n\r\n")) !== false && $head !== '') {
                preg_match('/Content-Length: ([0-9]+)/', $head, $length);
                stream_get_contents($connection, (int) ($length[1] ?? 0));
                $length = strlen($body);
                fwrite(
                    $connection,
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: $length\r\n$fields\r\n$body"
                );
            }
        });
    }

    public function testWhatIdentifiesARequestIsSent(): void
    {
        $pdp = new FakePdp();
        Trace::use(new Trace('r-1', 'p-1', 's=1'));
        (new Client($pdp, token: static fn () => 'secret'))->evaluate(self::question());
        $fields = $pdp->asked[0]->fields;
        self::assertSame(['r-1', 'p-1', 's=1'], [$fields['X-Request-ID'], $fields['traceparent'], $fields['tracestate']]);
        self::assertSame('Bearer secret', $fields['Authorization']);
    }

    public function testATokenCannotAddFields(): void
    {
        $client = new Client('http://127.0.0.1:9', token: "a\r\nX-Other: 1");
        $this->expectExceptionMessage('cannot be made');
        $client->evaluate(self::question());
    }

    public function testNobodyListens(): void
    {
        $this->expectException(Unreachable::class);
        (new Client('http://' . Programs::freeAddress()))->evaluate(self::question());
    }

    public function testAServerThatSaysNothingIsNotWaitedFor(): void
    {
        $silent = stream_socket_server('tcp://127.0.0.1:0');
        $began = microtime(true);
        try {
            (new Client('http://' . stream_socket_get_name($silent, false), timeout: 0.2))->evaluate(self::question());
            self::fail('it was answered');
        } catch (TimedOut) {
            self::assertLessThan(10.0, microtime(true) - $began);
        }
    }

    public function testUrlsAreChecked(): void
    {
        foreach (['', 'ftp://x', 'http://', 'http://a:b@c', 'http://a/?b', 'http://a#b', 'unix:x', 'http://a b', 'unix://x'] as $url) {
            try {
                new Client($url);
                self::fail($url);
            } catch (\InvalidArgumentException) {
                self::addToAssertionCount(1);
            }
        }
    }

    public function testAnErrorHandlerThatThrowsIsNotCalled(): void
    {
        set_error_handler(static fn (int $level, string $message) => throw new \ErrorException($message));
        try {
            $this->expectException(Unreachable::class);
            (new Client('http://' . Programs::freeAddress()))->evaluate(self::question());
        } finally {
            restore_error_handler();
        }
    }

    public function testAConnectionWhoseExchangeWasCutOffIsNotUsedAgain(): void
    {
        // The first question is about "slow": the script that asks it ends before the answer, which permits, comes.
        $pdp = Programs::serve(static function ($connection): void {
            while (($head = stream_get_line($connection, 1 << 16, "\r\n\r\n")) !== false && $head !== '') {
                preg_match('/Content-Length: ([0-9]+)/', $head, $length);
                $slow = str_contains(stream_get_contents($connection, (int) $length[1]), '"slow"');
                usleep($slow ? 1_500_000 : 0);
                $body = $slow ? '{"decision":true}' : '{"decision":false}';
                @fwrite($connection, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " . strlen($body) . "\r\n\r\n$body");
            }
        });
        $address = Programs::freeAddress();
        $this->programs->start([PHP_BINARY, '-S', $address, __DIR__ . '/cut-off.php'], ['PDP_URL' => "http://$pdp"]);
        Programs::awaitListener("tcp://$address");
        self::assertSame('kept', file_get_contents("http://$address/warm"));
        self::assertSame('', (string) @file_get_contents("http://$address/slow"), 'the script was not cut off');
        self::assertSame('denied', file_get_contents("http://$address/fast"));
    }

    public function testAPsr18ClientAsks(): void
    {
        $address = self::answering('{"decision":true}', "X-Request-ID: r-2\r\n");
        $transport = new Transport("http://$address", new Guzzle(['timeout' => 20]), new Psr17Factory());
        self::assertTrue((new Client($transport, timeout: 20))->evaluate(self::question())->decision);
        Trace::use(new Trace('r-1'));
        $this->expectExceptionMessage('answered another request');
        (new Client($transport, timeout: 20))->evaluate(self::question());
    }

    public function testAPsr18ClientThatFailsHasNoAnswer(): void
    {
        $transport = new Transport('http://' . Programs::freeAddress(), new Guzzle(['timeout' => 20]), new Psr17Factory());
        $this->expectException(NoAnswer::class);
        (new Client($transport))->evaluate(self::question());
    }
}
