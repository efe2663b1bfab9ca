<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Psr;

use Psr\Http\Client\ClientInterface;
use Psr\Http\Client\NetworkExceptionInterface;
use Psr\Http\Message\RequestFactoryInterface;
use Psr\Http\Message\StreamFactoryInterface;
use Wardkeeper\Pep\Http\Address;
use Wardkeeper\Pep\Http\Answer;
use Wardkeeper\Pep\NoAnswer;
use Wardkeeper\Pep\TimedOut;
use Wardkeeper\Pep\Transport as TransportInterface;
use Wardkeeper\Pep\Unreachable;

/** Sends requests by a PSR-18 client.
 *
 * The client's own settings bound the time (PEP-8), and have to: PSR-18 has none. It has to verify certificates, and must neither
 * follow redirects, decode bodies nor take a proxy from the environment. No request is sent twice, and the client must not send
 * claims again: curl does, where a connection that it has kept breaks, unless CURLOPT_FORBID_REUSE is set.
 */
final class Transport implements TransportInterface
{
    private readonly Address $address;

    /**
     * @param string $url http://HOST:PORT or https://HOST
     * @param RequestFactoryInterface&StreamFactoryInterface $factory
     * @param int $maxResponse bounds an answer, in bytes
     */
    public function __construct(
        string $url,
        private readonly ClientInterface $client,
        private readonly RequestFactoryInterface&StreamFactoryInterface $factory,
        private readonly int $maxResponse = 1 << 20,
    ) {
        $this->address = Address::of($url);
        if ($this->address->socket !== '' || $maxResponse < 1) {
            throw new \InvalidArgumentException('a PSR-18 client needs http or https, and maxResponse has to be positive');
        }
    }

    public function address(): Address
    {
        return $this->address;
    }

    public function send(string $method, string $path, array $fields, string $body, float $seconds): string
    {
        return $this->exchange($method, $path, $fields, $body, $seconds, [200])[1];
    }

    public function claim(string $path, array $fields, string $body, float $seconds): array
    {
        return $this->exchange('POST', $path, $fields, $body, $seconds, [200, 409]);
    }

    /**
     * @param array<string, string> $fields
     * @param list<int> $statuses that are accepted
     * @return array{int, string} status and body
     */
    private function exchange(string $method, string $path, array $fields, string $body, float $seconds, array $statuses): array
    {
        $deadline = hrtime(true) / 1e9 + $seconds;
        try {
            $request = $this->factory->createRequest($method, $this->address->origin() . $path);
            foreach ($fields as $name => $value) {
                $request = $request->withHeader($name, $value);
            }
            if ($body !== '') {
                $request = $request->withBody($this->factory->createStream($body));
            }
            $response = $this->client->sendRequest($request);
            $answer = new Answer($fields['X-Request-ID'] ?? '', $this->maxResponse, statuses: $statuses);
            $answer->check($response->getStatusCode(), array_change_key_case($response->getHeaders()));
            $stream = $response->getBody();
            $data = '';
            while (strlen($data) <= $this->maxResponse && !$stream->eof()) {
                $data .= $stream->read($this->maxResponse + 1 - strlen($data));
                if (hrtime(true) / 1e9 > $deadline) {
                    throw new TimedOut();
                }
            }
        } catch (NoAnswer $error) {
            throw $error;
        } catch (NetworkExceptionInterface) { // its text has the URL and perhaps what was received
            throw new Unreachable('the decision point cannot be reached');
        } catch (\Throwable $error) {
            throw new NoAnswer('the HTTP client threw ' . get_debug_type($error));
        }
        if (strlen($data) > $this->maxResponse) {
            throw new NoAnswer("the answer of the decision point is larger than $this->maxResponse bytes");
        }
        if (hrtime(true) / 1e9 > $deadline) {
            throw new TimedOut();
        }
        return [$answer->status, $data];
    }
}
