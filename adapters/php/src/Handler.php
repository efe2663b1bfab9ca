<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

/** Does obligations of one kind. No action follows a denial, so both functions are then called (PEP-4). */
final class Handler
{
    /** The kind of the obligation to have the person confirm. Its handler needs no functions: an allow with it becomes
     * Verdict::ConfirmationRequired, and the application asks again with 'confirmed' => true in the context. */
    public const CONFIRM = 'custom/confirm';

    /** The kind of the obligation to show a warning. Its handler says that the application shows the outcome's warnings. */
    public const WARN = 'custom/warn';

    /**
     * @param (\Closure(Obligation): bool)|null $can whether this obligation can be done, for instance a notification by its
     *     channel; by default all can. If it throws, the obligation cannot
     * @param (\Closure(Obligation): mixed)|null $before called before the action. If it throws, the action is denied
     * @param (\Closure(Obligation): mixed)|null $after called once the action has succeeded. The application has to repeat an
     *     obligation whose function has thrown
     */
    public function __construct(
        public readonly ?\Closure $can = null,
        public readonly ?\Closure $before = null,
        public readonly ?\Closure $after = null,
    ) {
    }

    /** Tells whether an obligation can be done. */
    public function can(Obligation $obligation): bool
    {
        try {
            return $this->can === null || ($this->can)($obligation) === true;
        } catch (\Throwable) {
            return false;
        }
    }
}
