<?php

// The sample application with the PSR-15 middleware, in processes that handle one request after the other. Its server tells every
// field as it was sent.

declare(strict_types=1);

use Nyholm\Psr7\Factory\Psr17Factory;
use Nyholm\Psr7\ServerRequest;
use Nyholm\Psr7\Uri;
use Psr\Http\Message\ResponseInterface;
use Psr\Http\Message\ServerRequestInterface;
use Psr\Http\Server\RequestHandlerInterface;
use Wardkeeper\Pep\Checker;
use Wardkeeper\Pep\Psr\Middleware;
use Wardkeeper\Pep\Result;

const PROCESSES = 32;

require __DIR__ . '/application.php';

final class Application implements RequestHandlerInterface
{
    public function __construct(private readonly Checker $checker, private readonly Psr17Factory $factory)
    {
    }

    public function handle(ServerRequestInterface $request): ResponseInterface
    {
        $result = $request->getAttribute(Result::class);
        $path = rawurldecode($request->getUri()->getPath());
        if (str_ends_with($path, '/fails')) {
            return $this->factory->createResponse(500);
        }
        $answer = ['method' => $request->getMethod(), 'path' => $path, 'subject' => $result->subject];
        if ($path === '/done') {
            $answer = done();
        } elseif (str_starts_with($path, '/can/')) {
            $about = $result->about(substr($path, strlen('/can/')));
            $answer = $this->checker->enforcer->can(actions($request->getUri()->getQuery()), $about);
        }
        return $this->factory->createResponse()
            ->withHeader('Content-Type', 'application/json')
            ->withBody($this->factory->createStream(json_encode($answer, JSON_THROW_ON_ERROR)));
    }
}

/** Reads a request, or returns null.
 *
 * @param resource $connection
 */
function received($connection): ?ServerRequestInterface
{
    $head = '';
    while (!str_ends_with($head, "\r\n\r\n")) {
        $line = fgets($connection, 16 << 10);
        if ($line === false || strlen($head) > 64 << 10) {
            return null;
        }
        $head .= $line;
    }
    $lines = explode("\r\n", rtrim($head));
    [$method, $target] = explode(' ', array_shift($lines));
    $fields = [];
    foreach ($lines as $line) {
        [$name, $value] = explode(':', $line, 2);
        $fields[$name][] = trim($value);
    }
    $length = (int) ($fields['Content-Length'][0] ?? 0);
    $body = $length === 0 ? '' : stream_get_contents($connection, $length);
    if (isset($fields['Transfer-Encoding'])) {
        while (($size = (int) hexdec(trim(fgets($connection)))) > 0) {
            $body .= stream_get_contents($connection, $size);
            fgets($connection);
        }
        fgets($connection);
    }
    [$path, $query] = explode('?', $target, 2) + [1 => ''];
    $uri = (new Uri())->withPath($path)->withQuery($query);
    return new ServerRequest($method, $uri, $fields, $body, '1.1', ['REQUEST_URI' => $target]);
}

/** @param resource $connection */
function send($connection, ResponseInterface $response, bool $withBody): void
{
    $text = "HTTP/1.1 {$response->getStatusCode()} {$response->getReasonPhrase()}\r\nConnection: close\r\n";
    foreach ($response->getHeaders() as $name => $values) {
        foreach ($values as $value) {
            $text .= "$name: $value\r\n";
        }
    }
    fwrite($connection, $text . "\r\n" . ($withBody ? $response->getBody() : ''));
}

$listener = stream_socket_server('tcp://' . getenv('LISTEN_ADDR'));
for ($i = 1; $i < PROCESSES && pcntl_fork() !== 0; $i++) {
}
$factory = new Psr17Factory();
$checker = checker();
$middleware = new Middleware($checker, $factory);
$application = new Application($checker, $factory);
while (true) {
    $connection = @stream_socket_accept($listener, 3600);
    $request = $connection === false ? null : received($connection);
    if ($request !== null) {
        send($connection, $middleware->process($request, $application), $request->getMethod() !== 'HEAD');
        fclose($connection);
    }
}
