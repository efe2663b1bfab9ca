<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Json;

/** A number that PHP would round, with all of its digits. */
final class Number
{
    public function __construct(public readonly string $digits)
    {
    }

    /** Tells whether every number in a value has as a 64-bit float, which many programs make of it, the same digits. */
    public static function areExact(mixed $value): bool
    {
        if ($value instanceof self) {
            return self::isExact($value->digits, (float) $value->digits);
        }
        if (is_int($value)) {
            return self::isExact((string) $value, (float) $value);
        }
        foreach (is_array($value) || $value instanceof \stdClass ? (array) $value : [] as $member) {
            if (!self::areExact($member)) {
                return false;
            }
        }
        return true;
    }

    /** Tells whether the shortest text of a float has the digits of another text of it. */
    public static function isExact(string $text, float $float): bool
    {
        return self::digits($text) === self::digits(var_export($float, true));
    }

    /** Returns the digits of a number without zeros around them, and the power of ten of the last.
     *
     * @return array{string, int}
     */
    private static function digits(string $text): array
    {
        [$mantissa, $exponent] = explode('e', strtolower($text), 2) + [1 => '0'];
        [$whole, $fraction] = explode('.', $mantissa, 2) + [1 => ''];
        $digits = ltrim($whole . $fraction, '-0');
        $kept = rtrim($digits, '0');
        return [$kept, $kept === '' ? 0 : (int) $exponent - strlen($fraction) + strlen($digits) - strlen($kept)];
    }
}
