<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

/** The core of an enforcement point: it asks, accepts only a well-formed allow, and does what obliges (PEP-3 to PEP-6). */
final class Enforcer
{
    /** @var list<string> */
    private readonly array $supported;

    /**
     * @param Decider $decider answers questions, such as a Client
     * @param array<string, Handler> $handlers what the application can do, by the type of the obligation; of custom also the
     *     action, as in custom/confirm. An allow with any other obligation is a denial
     */
    public function __construct(private readonly Decider $decider, private readonly array $handlers = [])
    {
        $types = [];
        foreach (array_keys($handlers) as $kind) {
            [$type, $action] = explode('/', (string) $kind, 2) + [1 => null];
            if ($type === '' || ($type === 'custom') !== ($action !== null) || $action === '') {
                throw new \InvalidArgumentException("no obligation is of the kind \"$kind\": use the type, or \"custom/ACTION\"");
            }
            $types[$type] = true;
        }
        ksort($types);
        $this->supported = array_map(strval(...), array_keys($types));
    }

    /** Returns the types of the registered handlers, which every question has (PEP-3).
     *
     * @return list<string>
     */
    public function supportedObligations(): array
    {
        return $this->supported;
    }

    /** Asks one question, and does the obligations that are due before the action.
     *
     * The action may be done only if the outcome is permitted; call its done once it has succeeded.
     */
    public function enforce(Evaluation $question): Outcome
    {
        return $this->ask([$question])[0]->begin();
    }

    /** Asks questions in one batch, in order, and does no obligations: for what a page offers.
     *
     * @param list<Evaluation> $questions
     * @return list<Outcome>
     */
    public function ask(array $questions): array
    {
        if ($questions === []) {
            return [];
        }
        $asked = array_map(
            fn (Evaluation $question) => $question->withContext(['supported_obligations' => $this->supported]),
            array_values($questions)
        );
        try {
            $responses = $this->decider->decide($asked);
            if (count($responses) !== count($asked)) {
                throw new NoAnswer('the decision point answered ' . count($responses) . ' of ' . count($asked) . ' questions');
            }
            return array_map($this->outcome(...), array_values($responses));
        } catch (\Throwable $error) { // of an unknown exception, the text may name persons
            $text = $error instanceof NoAnswer ? $error->getMessage() : 'the decider threw ' . get_debug_type($error);
            return array_fill(0, count($asked), new Outcome(Verdict::Unavailable, error: $text));
        }
    }

    /** Tells which actions a page offers: those that $about, with its action replaced, may do. It is one request.
     *
     * @param list<string> $actions
     * @return array<string, bool> by the action
     */
    public function can(array $actions, Evaluation $about): array
    {
        $outcomes = $this->ask(array_map($about->withAction(...), $actions));
        return array_combine($actions, array_map(static fn (Outcome $outcome) => $outcome->isOffered(), $outcomes));
    }

    /** Evaluates a response in view of the registered handlers. */
    private function outcome(Response $response): Outcome
    {
        try {
            $obligations = self::obligations($response->context);
        } catch (NoAnswer $error) {
            return new Outcome(Verdict::Unavailable, error: $error->getMessage());
        }
        $todo = $confirm = $unhandled = [];
        foreach ($obligations as $obligation) {
            $handler = $this->handlers[$obligation->kind()] ?? null;
            if ($handler === null || !$handler->can($obligation)) {
                $unhandled[] = sprintf('the application cannot do the obligation "%.200s"', $obligation->id);
            } elseif ($obligation->kind() === Handler::CONFIRM) {
                $confirm[] = $obligation;
            } else {
                $todo[] = [$obligation, $handler];
            }
        }
        $context = $response->context;
        $advice = Reason::all($context['advice'] ?? null);
        if ($response->decision !== true) {
            $reasons = Reason::all($context['reasons'] ?? null) ?: Reason::all($context['reason_user'] ?? null);
            return new Outcome(Verdict::Denied, $reasons, $advice, $obligations, [], $context, '', $todo);
        }
        if ($unhandled !== []) {
            $error = implode('; ', $unhandled);
            return new Outcome(Verdict::Denied, [Outcome::unsupported()], [], $obligations, [], $context, $error, $todo);
        }
        if ($confirm !== []) {
            return new Outcome(Verdict::ConfirmationRequired, [], $advice, $obligations, $confirm, $context, '', $todo);
        }
        return new Outcome(Verdict::Permitted, [], $advice, $obligations, [], $context, '', $todo);
    }

    /** Reads the obligations. A decision point that could not decide, or that sends malformed ones, has not answered.
     *
     * @param array<mixed> $context
     * @return list<Obligation>
     * @throws NoAnswer
     */
    private static function obligations(array $context): array
    {
        $problem = $context['error'] ?? null;
        if ($problem !== null) { // its message is not told: it may repeat the question
            $status = $problem instanceof \stdClass ? $problem->status ?? null : null;
            throw new NoAnswer('the decision point could not decide' . (is_int($status) ? ": status $status" : ''));
        }
        $entries = $context['obligations'] ?? [];
        if (!is_array($entries)) {
            throw new NoAnswer('the decision point sent obligations that are not a list');
        }
        $obligations = [];
        foreach ($entries as $index => $entry) {
            $id = $entry instanceof \stdClass ? $entry->id ?? null : null;
            $type = $entry instanceof \stdClass ? $entry->type ?? null : null;
            $properties = $entry instanceof \stdClass ? $entry->properties ?? new \stdClass() : null;
            if (!is_string($id) || $id === '' || !is_string($type) || $type === '' || !$properties instanceof \stdClass) {
                throw new NoAnswer("the decision point sent a malformed obligation at index $index");
            }
            $obligations[] = new Obligation($id, $type, get_object_vars($properties));
        }
        return $obligations;
    }
}
