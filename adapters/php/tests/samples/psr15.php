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

/** Reads a request. It refuses what has no single framing.
 *
 * @param resource $connection
 * @throws InvalidArgumentException
 */
function received($connection): ServerRequestInterface
{
    $head = '';
    while (!str_ends_with($head, "\r\n\r\n")) {
        $line = fgets($connection, 16 << 10);
        if ($line === false || strlen($head) > 64 << 10) {
            throw new InvalidArgumentException('the header is too long, or ends early');
        }
        $head .= $line;
    }
    $lines = explode("\r\n", substr($head, 0, -4));
    if (preg_match('~\A([^ \t]+) ([^ \t]+) HTTP/1\.[01]\z~', array_shift($lines), $line) !== 1) {
        throw new InvalidArgumentException('the request line is malformed');
    }
    $fields = [];
    foreach ($lines as $field) {
        if (preg_match('/\A([!#$%&\'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t -~\x80-\xff]*)\z/', $field, $match) !== 1) {
            throw new InvalidArgumentException('a field is malformed');
        }
        $fields[strtolower($match[1])][] = rtrim($match[2], " \t");
    }
    [$path, $query] = explode('?', $line[2], 2) + [1 => ''];
    $uri = (new Uri())->withPath($path)->withQuery($query);
    return new ServerRequest($line[1], $uri, $fields, body($connection, $fields), '1.1', ['REQUEST_URI' => $line[2]]);
}

/** Reads the body of a request.
 *
 * @param resource $connection
 * @param array<string, list<string>> $fields
 */
function body($connection, array $fields): string
{
    [$lengths, $codings] = [$fields['content-length'] ?? [], $fields['transfer-encoding'] ?? []];
    if (count($lengths) + count($codings) > 1 || preg_match('/\A[0-9]{0,9}\z/', $lengths[0] ?? '') !== 1 || ($codings[0] ?? 'chunked') !== 'chunked') {
        throw new InvalidArgumentException('the framing is ambiguous');
    }
    if ($codings === []) {
        return ($lengths[0] ?? '0') === '0' ? '' : (string) stream_get_contents($connection, (int) $lengths[0]);
    }
    $body = '';
    do {
        if (preg_match('/\A[0-9a-f]{1,8}\r\n\z/i', (string) fgets($connection), $line) !== 1) {
            throw new InvalidArgumentException('a chunk is malformed');
        }
        $size = (int) hexdec(rtrim($line[0]));
        $body .= $size === 0 ? '' : stream_get_contents($connection, $size);
        if (fgets($connection) !== "\r\n") {
            throw new InvalidArgumentException('a chunk is malformed');
        }
    } while ($size > 0);
    return $body;
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
    @fwrite($connection, $text . "\r\n" . ($withBody ? $response->getBody() : ''));
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
    if ($connection === false) {
        continue;
    }
    stream_set_timeout($connection, 5);
    try {
        $request = received($connection);
        $response = $middleware->process($request, $application);
    } catch (InvalidArgumentException) {
        $response = $factory->createResponse(400);
    }
    send($connection, $response, ($request ?? null)?->getMethod() !== 'HEAD');
    unset($request);
    fclose($connection);
}
