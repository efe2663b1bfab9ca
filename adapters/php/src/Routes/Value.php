<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Routes;

use Wardkeeper\Pep\Json\Number;

/** A literal, or a reference to a part of a request.
 *
 * @internal
 */
final class Value
{
    public const MAX_NAME = 1024; // bytes of a type, an id or a name

    private const MAX_WHOLE = 1 << 53; // from here on, programs round whole numbers

    /**
     * @param string $source path, query, header, claim or body; empty for a literal
     * @param string $name of the parameter, header or claim, or the JSON pointer
     * @param list<string> $pointer
     * @param int $segment of the template, for a parameter of the path
     */
    public function __construct(
        public readonly string $source = '',
        public readonly mixed $literal = null,
        public readonly string $name = '',
        public readonly array $pointer = [],
        public readonly int $segment = -1,
        public readonly bool $optional = false,
    ) {
    }

    /** Returns a drawn value in the form that its place needs.
     *
     * @throws Unfit
     */
    public static function convert(mixed $value, Form $form): mixed
    {
        if ($form === Form::Any) {
            return Number::areExact($value) ? $value : throw new Unfit('has a number that programs round in different ways');
        }
        if ($form === Form::Boolean) {
            return match ($value) {
                true, 'true' => true,
                false, 'false' => false,
                default => throw new Unfit('is neither true nor false'),
            };
        }
        if (is_int($value) && abs($value) < self::MAX_WHOLE) {
            $value = (string) $value;
        }
        if (!is_string($value)) {
            throw new Unfit('is not a text');
        }
        if ($value === '') {
            throw new Unfit('is empty');
        }
        if (self::hasControl($value)) {
            throw new Unfit('has control characters');
        }
        if (strlen($value) > self::MAX_NAME) {
            throw new Unfit('is longer than ' . self::MAX_NAME . ' bytes');
        }
        // Many frameworks trim what they receive, also invisible format characters such as U+200B.
        if (preg_match('/\A[\p{Z}\p{Cf}]|[\p{Z}\p{Cf}]\z/u', $value) === 1) {
            throw new Unfit('has spaces around it');
        }
        return $value;
    }

    /** Tells whether a text has a control character (C0, DEL or C1), or is not UTF-8. */
    public static function hasControl(string $text): bool
    {
        return preg_match('/\A[^\x00-\x1f\x7f-\x{9f}]*+\z/u', $text) !== 1;
    }
}
