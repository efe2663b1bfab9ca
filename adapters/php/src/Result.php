<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

use Wardkeeper\Pep\Json\Json;
use Wardkeeper\Pep\Routes\Route;

/** The result of checking a request. */
final class Result
{
    /**
     * @param Refusal|null $refusal what to answer; null if the request may pass
     * @param string $subject the id of the person; empty if the route is public or the person is not known
     * @param Outcome|null $outcome the outcome of the question, if one was asked. Its done is due once the request has been
     *     answered successfully
     */
    public function __construct(
        public readonly ?Refusal $refusal,
        public readonly string $subject = '',
        public readonly ?Outcome $outcome = null,
        public readonly ?Evaluation $question = null,
        public readonly ?Route $route = null,
        public readonly Trace $trace = new Trace(),
    ) {
    }

    /** Returns a question of the same person, who stands where the request says, about another resource: for Enforcer::can.
     *
     * What the person has confirmed is about the request alone.
     *
     * @param array<mixed> $context more members of the context
     */
    public function about(string|Entity $resource, ?string $location = null, array $context = []): Evaluation
    {
        $kept = array_intersect_key($this->question->context ?? [], ['current_location' => 0, 'at_least' => 0]);
        return Evaluation::of($this->subject, '', $resource, $location, $context + $kept);
    }

    /** Returns the fields that tell an application behind a proxy of a request that may pass.
     *
     * Every field is there, even if it is empty, so that it replaces what the person has sent.
     *
     * @return array<string, string>
     */
    public function fields(): array
    {
        $obligations = array_map(
            static fn (Obligation $obligation) => $obligation->message(),
            $this->outcome->obligations ?? []
        );
        return [
            'X-Wardkeeper-Subject' => strtr(
                rawurlencode($this->subject),
                ['%24' => '$', '%26' => '&', '%2B' => '+', '%3A' => ':', '%3D' => '=', '%40' => '@']
            ),
            // A field is ASCII: what is not is escaped, as JSON allows within texts.
            'X-Wardkeeper-Obligations' => (string) preg_replace_callback(
                '/[\x{80}-\x{10ffff}]+/u',
                static fn (array $text) => trim(json_encode($text[0], JSON_THROW_ON_ERROR), '"'),
                Json::encode($obligations)
            ),
            'X-Request-ID' => $this->trace->requestId,
        ];
    }
}
