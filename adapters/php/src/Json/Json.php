<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Json;

/** Strict JSON: what several programs could read in different ways is an error. */
final class Json
{
    /** Parses one JSON value: in UTF-8, no member twice, no unpaired surrogate, nothing after its end.
     *
     * An object becomes a stdClass, and a whole number that PHP cannot hold a Number.
     *
     * @param bool $exact whether a fraction that a float rounds becomes a Number, too
     * @throws MalformedJson with a sentence that may be sent to clients
     */
    public static function parse(string $text, bool $exact = false): mixed
    {
        return (new Parser($text, $exact))->document();
    }

    /** Parses one JSON object, and returns its members. Nested objects stay objects.
     *
     * @return array<mixed>
     * @throws MalformedJson
     */
    public static function parseObject(string $text): array
    {
        $value = self::parse($text);
        if (!$value instanceof \stdClass) {
            throw new MalformedJson('The body is not a JSON object: send one JSON object.');
        }
        return get_object_vars($value);
    }

    /** Encodes a value. An array is a list if its keys are 0, 1 and so on; cast one that is an object.
     *
     * @throws \InvalidArgumentException if the value has something that JSON does not have
     */
    public static function encode(mixed $value): string
    {
        if ($value instanceof Number) {
            return $value->digits;
        }
        if (is_array($value) && array_is_list($value)) {
            return '[' . implode(',', array_map(self::encode(...), $value)) . ']';
        }
        if (is_array($value) || $value instanceof \stdClass) {
            $members = [];
            foreach ((array) $value as $name => $member) {
                $members[] = self::scalar((string) $name) . ':' . self::encode($member);
            }
            return '{' . implode(',', $members) . '}';
        }
        return self::scalar($value);
    }

    private static function scalar(mixed $value): string
    {
        if (!is_scalar($value) && $value !== null) {
            throw new \InvalidArgumentException('a value of the type ' . get_debug_type($value) . ' is not JSON');
        }
        try {
            return json_encode(
                $value,
                JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_PRESERVE_ZERO_FRACTION
            );
        } catch (\JsonException) {
            throw new \InvalidArgumentException('a text is not UTF-8, or a number is not finite');
        }
    }
}
