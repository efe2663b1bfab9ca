<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Psr;

use Psr\Http\Message\ResponseFactoryInterface;
use Psr\Http\Message\ResponseInterface;
use Psr\Http\Message\ServerRequestInterface;
use Psr\Http\Message\StreamFactoryInterface;
use Psr\Http\Server\MiddlewareInterface;
use Psr\Http\Server\RequestHandlerInterface;
use Wardkeeper\Pep\Checker;
use Wardkeeper\Pep\Refusal;
use Wardkeeper\Pep\Refused;
use Wardkeeper\Pep\Result;
use Wardkeeper\Pep\Routes\BodyIncomplete;
use Wardkeeper\Pep\Routes\BodyTooLong;
use Wardkeeper\Pep\Routes\Headers;
use Wardkeeper\Pep\Routes\Request;
use Wardkeeper\Pep\Trace;

/** Protects a PSR-15 application: requests pass only if the decision point allows them.
 *
 * It comes before what routes, and before what changes the request's method or path. after handlers run once the application has
 * answered with a status below 400. The result is the request's attribute of the name Result::class.
 */
final class Middleware implements MiddlewareInterface
{
    /**
     * @param ResponseFactoryInterface&StreamFactoryInterface $factory makes refusals
     * @param string $basePath what was cut off the path before the application routes by it, such as /admin
     * @param (\Closure(ServerRequestInterface): bool)|null $fromProxy tells whether a request comes from an authenticated proxy.
     *     Only such a request may name the person in a field. It needs a proof, such as a client certificate: an address is none
     */
    public function __construct(
        private readonly Checker $checker,
        private readonly ResponseFactoryInterface&StreamFactoryInterface $factory,
        private readonly string $basePath = '',
        private readonly ?\Closure $fromProxy = null,
    ) {
    }

    public function process(ServerRequestInterface $request, RequestHandlerInterface $handler): ResponseInterface
    {
        $body = null;
        $result = $this->checker->check($this->request($request, $body));
        if ($result->refusal !== null) {
            return $this->refuse($result->refusal, $request);
        }
        if ($body !== null) { // it has been read
            $request = $request->withBody($this->factory->createStream($body));
        }
        $before = Trace::use($result->trace);
        try {
            $response = $handler->handle($request->withAttribute(Result::class, $result));
        } catch (Refused $refused) {
            return $this->refuse($refused->refusal->of($result->trace->requestId), $request);
        } finally {
            Trace::use($before);
        }
        $this->checker->finish($result, $response->getStatusCode());
        return $response;
    }

    private function refuse(Refusal $refusal, ServerRequestInterface $request): ResponseInterface
    {
        $accept = $request->getHeaderLine('Accept');
        $response = $this->factory->createResponse($refusal->status);
        foreach ($refusal->fields($accept) as $name => $value) {
            $response = $response->withHeader($name, $value);
        }
        return $request->getMethod() === 'HEAD'
            ? $response
            : $response->withBody($this->factory->createStream($refusal->body($accept)));
    }

    private function request(ServerRequestInterface $request, ?string &$read): Request
    {
        $fields = [];
        foreach ($request->getHeaders() as $name => $values) {
            foreach (strtolower((string) $name) === 'host' ? [] : $values as $value) {
                $fields[] = [(string) $name, $value];
            }
        }
        // Objects of PSR-7 encode what was not. The server knows what was sent, and the application routes by the object.
        $sent = $request->getServerParams()['REQUEST_URI'] ?? null;
        $target = is_string($sent) && $sent !== '' ? $sent : $request->getRequestTarget();
        $query = explode('?', $target, 2)[1] ?? '';
        return new Request(
            $request->getMethod(),
            $target,
            $request->getHeader('Host'),
            new Headers($fields),
            path: $this->basePath . rawurldecode($request->getUri()->getPath()),
            query: rawurldecode($request->getUri()->getQuery()) === rawurldecode($query) ? $query : $request->getUri()->getQuery(),
            readBody: static function (int $limit) use ($request, &$read): string {
                return $read = self::body($request, $limit);
            },
            fromProxy: fn () => $this->fromProxy !== null && ($this->fromProxy)($request),
        );
    }

    private static function body(ServerRequestInterface $request, int $limit): string
    {
        $stream = $request->getBody();
        if ($stream->isSeekable()) {
            $stream->rewind();
        }
        $body = '';
        while (strlen($body) <= $limit && !$stream->eof()) {
            $body .= $stream->read($limit + 1 - strlen($body));
        }
        if (strlen($body) > $limit) {
            throw new BodyTooLong();
        }
        $length = $request->getHeaderLine('Content-Length');
        if ($length !== '' && $length !== (string) strlen($body)) {
            throw new BodyIncomplete();
        }
        return $body;
    }
}
