<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Tests\Unit;

use Nyholm\Psr7\Factory\Psr17Factory;
use Nyholm\Psr7\ServerRequest;
use PHPUnit\Framework\TestCase;
use Psr\Http\Message\ResponseInterface;
use Psr\Http\Message\ServerRequestInterface;
use Psr\Http\Server\RequestHandlerInterface;
use Wardkeeper\Pep\Checker;
use Wardkeeper\Pep\Client;
use Wardkeeper\Pep\Handler;
use Wardkeeper\Pep\Identity\TokenInvalid;
use Wardkeeper\Pep\Json\Json;
use Wardkeeper\Pep\Obligation;
use Wardkeeper\Pep\Psr\Middleware;
use Wardkeeper\Pep\Refusal;
use Wardkeeper\Pep\Refused;
use Wardkeeper\Pep\Result;
use Wardkeeper\Pep\Routes\Table;
use Wardkeeper\Pep\Testing\FakePdp;
use Wardkeeper\Pep\Trace;

final class MiddlewareTest extends TestCase
{
    private FakePdp $pdp;
    /** @var list<string> */
    private array $log = [];
    /** @var list<string> */
    private array $done = [];
    private const FIELDS = ['Host' => 'h', 'Authorization' => 'Bearer alice', 'Content-Type' => 'application/json'];

    protected function setUp(): void
    {
        $this->pdp = new FakePdp();
        $this->pdp->permit('user.view');
    }

    /** @param (\Closure(ServerRequestInterface): ResponseInterface)|null $application */
    private function answer(ServerRequestInterface $request, ?\Closure $application = null, string $basePath = ''): ResponseInterface
    {
        $factory = new Psr17Factory();
        $notify = fn (Obligation $obligation) => $this->done[] = $obligation->id;
        $checker = new Checker(
            Table::parse(Json::encode(RoutesTest::FILE)),
            new Client($this->pdp),
            ['notification' => new Handler(after: $notify), Handler::CONFIRM => new Handler()],
            verify: static fn (string $token) => match ($token) {
                'alice' => ['sub' => 'alice'],
                'fault' => throw new \Exception('secret'),
                default => throw new TokenInvalid('no'),
            },
            log: function (string $level, string $text): void {
                $this->log[] = "$level $text";
                throw new \Exception('the log is full');
            }
        );
        $application ??= static fn (ServerRequestInterface $request) => $factory->createResponse()
            ->withBody($factory->createStream((string) $request->getAttribute(Result::class)?->subject));
        $handler = new class ($application) implements RequestHandlerInterface {
            public function __construct(private readonly \Closure $application)
            {
            }

            public function handle(ServerRequestInterface $request): ResponseInterface
            {
                return ($this->application)($request);
            }
        };
        return (new Middleware($checker, $factory, $basePath))->process($request, $handler);
    }

    public function testARequestPasses(): void
    {
        self::assertSame('alice', (string) $this->answer(new ServerRequest('GET', '/users/jane', self::FIELDS))->getBody());
        self::assertSame('jane', $this->pdp->asked[0]->resource);
    }

    public function testRefusalsAreToldApart(): void
    {
        $cases = [
            [401, 'Bearer bob', '/users/jane'], [503, 'Bearer fault', '/users/jane'], [403, 'Bearer alice', '/users/new'],
            [403, 'Bearer alice', '/elsewhere'], [400, 'Bearer alice', '/users/a%2Fb'],
        ];
        foreach ($cases as [$status, $authorization, $path]) {
            $answer = $this->answer(new ServerRequest('GET', $path, ['Authorization' => $authorization] + self::FIELDS));
            self::assertSame($status, $answer->getStatusCode(), $path);
            self::assertNotSame('', $answer->getHeaderLine('X-Request-ID'));
            self::assertSame('no-store', $answer->getHeaderLine('Cache-Control'));
        }
        self::assertStringNotContainsString('secret', implode($this->log));
        self::assertStringNotContainsString('jane', implode($this->log));
        $this->pdp->fail();
        $page = $this->answer(new ServerRequest('GET', '/users/jane', ['Accept' => 'text/html'] + self::FIELDS));
        self::assertSame([503, 'text/html; charset=utf-8'], [$page->getStatusCode(), $page->getHeaderLine('Content-Type')]);
    }

    public function testTheJudgedPathIsTheOneThatTheApplicationRoutes(): void
    {
        $sent = static fn (string $target, string $path) => new ServerRequest('GET', $path, self::FIELDS, '', '1.1', ['REQUEST_URI' => $target]);
        self::assertSame(200, $this->answer($sent('/users/j%61ne', '/users/jane'))->getStatusCode());
        self::assertSame(400, $this->answer($sent('/open/x', '/users/jane'))->getStatusCode());
        self::assertSame(400, $this->answer($sent('/users/jane', '/users/jane?location=x'))->getStatusCode());
        self::assertSame(400, $this->answer($sent('/users/jane', '/jane'))->getStatusCode());
        self::assertSame(200, $this->answer($sent('/users/jane', '/jane'), basePath: '/users')->getStatusCode());
        self::assertSame(400, $this->answer($sent('/users/jane', '/users/jane'), basePath: '/users')->getStatusCode());
    }

    public function testTheApplicationReadsTheBodyToo(): void
    {
        $this->pdp->permit('assignment.add');
        $body = '{"role":"r","location":"l"}';
        $request = new ServerRequest('POST', '/users/jane/roles', self::FIELDS, $body);
        $read = $this->answer($request, static fn (ServerRequestInterface $request) => (new Psr17Factory())->createResponse()->withBody($request->getBody()));
        self::assertSame($body, (string) $read->getBody());
        self::assertSame(400, $this->answer($request->withHeader('Content-Length', '5'))->getStatusCode());
        $large = new ServerRequest('POST', '/users/jane/roles', self::FIELDS, str_repeat(' ', 70_000) . $body);
        self::assertSame(400, $this->answer($large)->getStatusCode());
    }

    public function testObligationsFollowASuccessfulAction(): void
    {
        $this->pdp->permit('user.view', [['id' => 'T/mail', 'type' => 'notification', 'properties' => []]]);
        $request = new ServerRequest('GET', '/users/jane', self::FIELDS);
        $this->answer($request, static fn () => (new Psr17Factory())->createResponse(500));
        self::assertSame([], $this->done);
        try {
            $this->answer($request, static fn () => throw new \LogicException('the application fails'));
            self::fail('it did not throw');
        } catch (\LogicException) {
            self::assertSame([], $this->done);
        }
        self::assertSame('', Trace::current()->requestId, 'the trace is that of the request alone');
        $this->answer($request);
        self::assertSame(['T/mail'], $this->done);
    }

    public function testARefusalOfTheApplicationIsAnswered(): void
    {
        $answer = $this->answer(
            new ServerRequest('GET', '/users/jane', ['X-Request-ID' => 'r-1'] + self::FIELDS),
            static fn () => throw new Refused(Refusal::unauthenticated())
        );
        self::assertSame([401, 'r-1'], [$answer->getStatusCode(), $answer->getHeaderLine('X-Request-ID')]);
    }

    public function testAConfirmationIsForOneQuestion(): void
    {
        $this->pdp->permitOnceConfirmed('user.view');
        $request = new ServerRequest('GET', '/users/jane', self::FIELDS);
        $asked = $this->answer($request);
        self::assertSame(403, $asked->getStatusCode());
        self::assertStringContainsString('"code":"confirmation_required"', (string) $asked->getBody());
        $context = [];
        $this->answer($request->withHeader('X-Confirmed', 'true'), static function (ServerRequestInterface $request) use (&$context) {
            $context = $request->getAttribute(Result::class)->about('joe')->context;
            return (new Psr17Factory())->createResponse();
        });
        self::assertTrue($this->pdp->asked[1]->context['confirmed']);
        self::assertSame([], $context);
    }
}
