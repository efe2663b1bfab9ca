<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

/** A reason of a denial, or a piece of advice. */
final class Reason
{
    /**
     * @param string $message a sentence for the person
     * @param array<mixed> $more the other members, such as field or locations
     */
    public function __construct(
        public readonly string $code = '',
        public readonly string $message = '',
        public readonly string $rule = '',
        public readonly array $more = [],
    ) {
    }

    /** Returns the reason as JSON has it. */
    public function message(): \stdClass
    {
        $texts = ['code' => $this->code, 'message' => $this->message, 'rule' => $this->rule];
        return (object) (array_filter($texts, static fn (string $text) => $text !== '') + $this->more);
    }

    /** Reads reasons that are objects or texts, or AuthZEN's reason_user: a text by a status or a language.
     *
     * What is not understood is left out: a denial needs no reason.
     *
     * @return list<self>
     */
    public static function all(mixed $value): array
    {
        if ($value instanceof \stdClass) {
            $texts = array_filter(get_object_vars($value), is_string(...));
            ksort($texts);
            return array_map(static fn (string $text) => new self(message: $text), array_slice(array_values($texts), 0, 1));
        }
        $reasons = [];
        foreach (is_array($value) ? $value : [] as $element) {
            if (is_string($element)) {
                $reasons[] = new self(message: $element);
            } elseif ($element instanceof \stdClass) {
                $members = get_object_vars($element);
                $texts = [];
                foreach (['code', 'message', 'rule'] as $name) {
                    $texts[] = is_string($members[$name] ?? null) ? $members[$name] : '';
                    unset($members[$name]);
                }
                if (implode('', $texts) !== '') {
                    $reasons[] = new self($texts[0], $texts[1], $texts[2], $members);
                }
            }
        }
        return $reasons;
    }
}
