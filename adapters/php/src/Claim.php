<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

/** The outcome of Client::claim. */
final class Claim
{
    /**
     * @param bool $claimed whether the change may be made, before it expires and with every obligation of the evaluation
     * @param Response $evaluation the question answered again. If the claim failed, an allow has a new guard
     * @param \DateTimeImmutable|null $expires until when the change has to be made; null if it may not be
     * @param string $code why it was not claimed: changed, taken, expired or denied; empty if it was
     */
    public function __construct(
        public readonly bool $claimed,
        public readonly Response $evaluation,
        public readonly ?\DateTimeImmutable $expires = null,
        public readonly string $code = '',
    ) {
    }
}
