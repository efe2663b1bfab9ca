<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

/** The result of a question. */
final class Outcome
{
    /**
     * @param list<Reason> $reasons of a denial
     * @param list<Reason> $advice
     * @param list<Obligation> $obligations all obligations of the answer
     * @param list<Obligation> $confirm what the person has to confirm
     * @param array<mixed> $context the context of the answer, as the decision point sent it
     * @param string $error for the log: why there is no answer, or what could not be done. It names nobody
     * @param list<array{Obligation, Handler}> $todo
     */
    public function __construct(
        public readonly Verdict $verdict,
        public readonly array $reasons = [],
        public readonly array $advice = [],
        public readonly array $obligations = [],
        public readonly array $confirm = [],
        public readonly array $context = [],
        public readonly string $error = '',
        private readonly array $todo = [],
    ) {
    }

    /** Reports whether the action may be done. Call done once it has succeeded. */
    public function isPermitted(): bool
    {
        return $this->verdict === Verdict::Permitted;
    }

    /** Reports whether a page offers the action: it may be done, at most after a confirmation. */
    public function isOffered(): bool
    {
        return $this->isPermitted() || $this->verdict === Verdict::ConfirmationRequired;
    }

    /** Returns the causes of the warnings that the application shows with the result.
     *
     * @return list<string>
     */
    public function warnings(): array
    {
        $causes = [];
        foreach ($this->isPermitted() ? $this->obligations : [] as $obligation) {
            if ($obligation->kind() === Handler::WARN) {
                $cause = $obligation->properties['cause'] ?? '';
                $causes[] = is_string($cause) ? $cause : '';
            }
        }
        return $causes;
    }

    /** Returns the response that the person gets instead of the action.
     *
     * @throws \LogicException if the action is permitted
     */
    public function refusal(): Refusal
    {
        return match ($this->verdict) {
            Verdict::Permitted => throw new \LogicException('what is permitted is not refused'),
            Verdict::Unavailable => Refusal::unavailable(),
            Verdict::ConfirmationRequired => new Refusal(
                403,
                'confirmation_required',
                'This has to be confirmed first.',
                advice: $this->advice,
                confirm: $this->confirm
            ),
            Verdict::Denied => new Refusal(
                403,
                'denied',
                ($this->reasons[0]->message ?? '') ?: 'You may not do this.',
                $this->reasons,
                $this->advice
            ),
        };
    }

    /** Does the obligations that follow a permitted action, all of them.
     *
     * @return list<string> what has failed, for the log
     */
    public function done(): array
    {
        return $this->isPermitted() ? $this->run(false) : [];
    }

    /** Does what is due before a permitted action, and all of a denial. Without an answer nothing has been decided.
     *
     * @internal
     */
    public function begin(): self
    {
        $failed = match ($this->verdict) {
            Verdict::Permitted => $this->run(true),
            Verdict::Denied => [...$this->run(true), ...$this->run(false)],
            default => [],
        };
        if ($failed === []) {
            return $this;
        }
        $error = implode('; ', [...array_filter([$this->error]), ...$failed]);
        $reasons = $this->isPermitted() ? [self::unsupported()] : $this->reasons;
        return new self(Verdict::Denied, $reasons, $this->advice, $this->obligations, [], $this->context, $error);
    }

    /** Returns the reason of a denial because of an obligation that cannot be done.
     *
     * @internal
     */
    public static function unsupported(): Reason
    {
        return new Reason('obligation_unsupported', 'The application cannot do what this would require of it.', 'ALL-13');
    }

    /** Calls all handlers, also after one has failed, and returns what has failed.
     *
     * @return list<string>
     */
    private function run(bool $before): array
    {
        $failed = [];
        foreach ($this->todo as [$obligation, $handler]) {
            try {
                $do = $before ? $handler->before : $handler->after;
                $do === null || $do($obligation);
            } catch (\Throwable $error) { // its text may name persons
                $failed[] = sprintf('the obligation "%.200s": its handler threw %s', $obligation->id, get_debug_type($error));
            }
        }
        return $failed;
    }
}
