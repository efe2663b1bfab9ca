<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

/** Answers questions. Client does so over HTTP. */
interface Decider
{
    /** Answers every question, in order. If it throws, none has been answered; messages of NoAnswer name nobody.
     *
     * @param list<Evaluation> $questions
     * @return list<Response>
     * @throws NoAnswer
     */
    public function decide(array $questions): array;
}
