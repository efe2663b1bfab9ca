<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

use Wardkeeper\Pep\Json\Json;

/** Asks one decision point. It neither caches nor logs, and it does not enforce: Enforcer does. */
final class Client implements Decider
{
    /** Items of a batch that a decision point accepts in one request. */
    public const MAX_EVALUATIONS = 1000;

    /** Pages of a list. A decision point that lists a million results has pages of a hundred and more. */
    public const MAX_PAGES = 10_000;

    private const ENDPOINTS = [
        'evaluation' => '/access/v1/evaluation', 'evaluations' => '/access/v1/evaluations',
        'subject' => '/access/v1/search/subject', 'resource' => '/access/v1/search/resource',
        'action' => '/access/v1/search/action', 'guard_claim' => '/v1/guards/claim',
    ];

    private readonly Transport $transport;
    /** @var array<string, string> */
    private array $endpoints;
    private readonly int $batchSize;

    /**
     * @param string|Transport $pdp the decision point: http://HOST:PORT, https://HOST or unix:/PATH, or what sends to it
     * @param string|\Closure|null $token the bearer token, or a function that returns it and is called for each request
     * @param string $caFile the certificate authorities for https; by default those of the system
     * @param float $timeout seconds that a request may take, its retry included
     * @param int $maxResponse bounds an answer, in bytes
     * @param int $batchSize bounds the questions of a request. More are sent in several requests
     * @throws \InvalidArgumentException
     */
    public function __construct(
        string|Transport $pdp,
        #[\SensitiveParameter] private readonly string|\Closure|null $token = null,
        string $caFile = '',
        private readonly float $timeout = 1.0,
        int $maxResponse = 1 << 20,
        int $batchSize = self::MAX_EVALUATIONS,
    ) {
        if (!($timeout > 0) || $batchSize < 1) {
            throw new \InvalidArgumentException('timeout and batchSize have to be positive');
        }
        $this->transport = is_string($pdp) ? new StreamTransport($pdp, $caFile, $maxResponse) : $pdp;
        $this->batchSize = min($batchSize, self::MAX_EVALUATIONS);
        $base = $this->transport->address()->path;
        $this->endpoints = array_map(static fn (string $path) => $base . $path, self::ENDPOINTS);
    }

    /** Uses the endpoints of the decision point's metadata from now on. All have to be at the origin that was asked.
     *
     * @throws NoAnswer
     */
    public function discover(): void
    {
        $address = $this->transport->address();
        $metadata = $this->metadata();
        $base = rtrim($metadata->policyDecisionPoint, '/');
        if ($address->socket === '' && $base !== $address->origin() . $address->path) {
            throw new NoAnswer(
                'the metadata are those of another decision point: use the URL that they give as policy_decision_point'
            );
        }
        $origin = preg_match('~\Ahttps?://[^/?#]+~', $base, $match) === 1 ? $match[0] : null;
        $paths = [];
        foreach ($metadata->endpoints as $name => $url) {
            $path = $origin !== null && str_starts_with($url, $origin) ? substr($url, strlen($origin)) : null;
            if ($url !== '' && ($path === null || !str_starts_with($path, '/') || strpbrk($path, '?#') !== false)) {
                throw new NoAnswer('the metadata name an endpoint at another server');
            }
            $paths[$name] = (string) $path;
        }
        $this->endpoints = $paths;
    }

    /** Asks one question as an evaluation, and several in as few batches as the batch size allows.
     *
     * @param list<Evaluation> $questions
     * @return list<Response> the answer to every question, in order
     * @throws NoAnswer then no question has been answered
     */
    public function decide(array $questions): array
    {
        $questions = array_values($questions);
        if (count($questions) === 1) {
            return [Decoder::response($this->post('evaluation', $questions[0]->message()))];
        }
        $responses = [];
        foreach (array_chunk($questions, $this->batchSize) as $chunk) {
            $answers = Decoder::responses($this->post('evaluations', [
                'options' => ['evaluations_semantic' => 'execute_all'],
                'evaluations' => array_map(static fn (Evaluation $question) => $question->message(), $chunk),
            ]));
            if (count($answers) !== count($chunk)) {
                throw new NoAnswer('the decision point answered ' . count($answers) . ' of ' . count($chunk) . ' questions');
            }
            array_push($responses, ...$answers);
        }
        return $responses;
    }

    /** Answers one question.
     *
     * @throws NoAnswer
     */
    public function evaluate(Evaluation $question): Response
    {
        return $this->decide([$question])[0];
    }

    /** Claims the guard of an answer to the question (pdp/authzen/PROTOCOL.md, Guards).
     *
     * The change may be made only if the result is claimed. The claim is sent once, without a retry: after NoAnswer, it may be in
     * force until it expires.
     *
     * @param Evaluation $question the one that was asked, with the same context
     * @param string $guard Response::guard() of its answer
     * @throws NoAnswer then the change may not be made
     */
    public function claim(Evaluation $question, string $guard): Claim
    {
        [$path, $body] = $this->encode('guard_claim', $question->message() + ['guard' => $guard]);
        [$status, $answer] = $this->transport->claim($path, $this->fields('POST'), $body, $this->timeout);
        return Decoder::claim($status, $answer);
    }

    /** Yields the subjects of the type of the search's subject that may do the action to the resource.
     *
     * Each page is a request with a time-out of its own. If one fails, the list ends with NoAnswer, and is incomplete.
     *
     * @return \Generator<int, Hit>
     * @throws NoAnswer
     */
    public function searchSubjects(Search $search): \Generator
    {
        return $this->search('subject', $search);
    }

    /** Yields the resources of the type of the search's resource to which the subject may do the action.
     *
     * @return \Generator<int, Hit>
     * @throws NoAnswer
     */
    public function searchResources(Search $search): \Generator
    {
        return $this->search('resource', $search);
    }

    /** Yields the actions that the subject may do to the resource.
     *
     * @return \Generator<int, Hit>
     * @throws NoAnswer
     */
    public function searchActions(Search $search): \Generator
    {
        return $this->search('action', $search);
    }

    /** Returns one page of a search for a "subject", a "resource" or an "action": that of the search's token.
     *
     * @throws NoAnswer
     */
    public function page(string $kind, Search $search): Page
    {
        return Decoder::page($this->post($kind, $search->message($kind)));
    }

    /** Returns what the decision point says of itself.
     *
     * @throws NoAnswer
     */
    public function metadata(): Metadata
    {
        // The well-known path is between the host and the path of the URL.
        $path = '/.well-known/authzen-configuration' . $this->transport->address()->path;
        return Decoder::metadata($this->send('GET', $path, ''));
    }

    /** @return \Generator<int, Hit> */
    private function search(string $kind, Search $search): \Generator
    {
        $followed = [hash('sha256', $search->token) => true];
        while (true) {
            $page = $this->page($kind, $search);
            $digest = hash('sha256', $page->nextToken);
            if ($page->nextToken !== '' && isset($followed[$digest])) {
                throw new NoAnswer('the decision point continues the list where it has been');
            }
            foreach ($page->hits as $hit) {
                yield $hit;
            }
            if ($page->nextToken === '') {
                return;
            }
            if (count($followed) === self::MAX_PAGES) {
                throw new NoAnswer(
                    'the list has more than ' . self::MAX_PAGES . ' pages: ask for larger ones, or narrow the search'
                );
            }
            $followed[$digest] = true;
            $search = $search->at($page->nextToken);
        }
    }

    /** @param array<string, mixed> $message */
    private function post(string $endpoint, array $message): string
    {
        [$path, $body] = $this->encode($endpoint, $message);
        return $this->send('POST', $path, $body);
    }

    /**
     * @param array<string, mixed> $message
     * @return array{string, string} the path of the endpoint, and the body
     */
    private function encode(string $endpoint, array $message): array
    {
        $path = $this->endpoints[$endpoint] ?? '';
        if ($path === '') {
            throw new NoAnswer('the decision point does not offer this by its metadata');
        }
        try {
            return [$path, Json::encode($message)];
        } catch (\InvalidArgumentException) {
            throw new NoAnswer('the question cannot be encoded as JSON');
        }
    }

    private function send(string $method, string $path, string $body): string
    {
        return $this->transport->send($method, $path, $this->fields($method), $body, $this->timeout);
    }

    /** @return array<string, string> */
    private function fields(string $method): array
    {
        $trace = Trace::current();
        $token = $this->token instanceof \Closure ? (string) ($this->token)() : (string) $this->token;
        return array_filter([
            'Accept' => 'application/json',
            'Content-Type' => $method === 'POST' ? 'application/json' : '',
            'X-Request-ID' => $trace->requestId,
            'traceparent' => $trace->traceparent,
            'tracestate' => $trace->tracestate,
            'Authorization' => $token === '' ? '' : 'Bearer ' . $token,
        ], static fn (string $value) => $value !== '');
    }
}
