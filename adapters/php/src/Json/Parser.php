<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Json;

/** Parses one text. It takes time in proportion to the length. */
final class Parser
{
    /** The deepest nesting of objects and arrays, the outermost included. */
    public const MAX_DEPTH = 64;

    private const MAX_NUMBER = 400; // characters
    private const SPACE = " \t\n\r";
    private const LITERALS = ['t' => ['true', true], 'f' => ['false', false], 'n' => ['null', null]];
    // What ends a run of plain characters in a string.
    private const SPECIAL = "\"\\\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17"
        . "\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f";
    private const ESCAPES = [
        '"' => '"', '\\' => '\\', '/' => '/', 'b' => "\x08", 'f' => "\f", 'n' => "\n", 'r' => "\r", 't' => "\t",
    ];

    private int $at = 0;

    /** @param bool $exact whether a fraction that a float rounds is kept as a Number */
    public function __construct(private readonly string $text, private readonly bool $exact = false)
    {
    }

    /** @throws MalformedJson */
    public function document(): mixed
    {
        if (preg_match('//u', $this->text) !== 1) {
            throw new MalformedJson('The body is not valid UTF-8: send JSON in UTF-8.');
        }
        $this->space();
        $value = $this->value(1);
        $this->space();
        if ($this->at < strlen($this->text)) {
            throw self::malformed();
        }
        return $value;
    }

    private function value(int $depth): mixed
    {
        $first = $this->peek();
        if ($first === '"') {
            return $this->string();
        }
        if ($first === '{' || $first === '[') {
            if ($depth > self::MAX_DEPTH) {
                throw new MalformedJson(
                    'The JSON is nested too deeply: nest objects and arrays at most ' . self::MAX_DEPTH . ' levels.'
                );
            }
            $this->at++;
            return $first === '{' ? $this->object($depth) : $this->list($depth);
        }
        if (isset(self::LITERALS[$first])) {
            [$word, $value] = self::LITERALS[$first];
            if (substr_compare($this->text, $word, $this->at, strlen($word)) !== 0) {
                throw self::malformed();
            }
            $this->at += strlen($word);
            return $value;
        }
        return $this->number();
    }

    private function object(int $depth): \stdClass
    {
        $members = [];
        $this->space();
        if ($this->peek() === '}') {
            $this->at++;
            return new \stdClass();
        }
        while (true) {
            $name = $this->string();
            if (array_key_exists($name, $members)) {
                throw new MalformedJson('A member appears twice in an object: send it once.');
            }
            if (str_starts_with($name, "\0")) {
                throw new MalformedJson('The name of a member begins with a control character: send another name.');
            }
            $this->space();
            $this->take(':');
            $this->space();
            $members[$name] = $this->value($depth + 1);
            $this->space();
            if ($this->peek() !== ',') {
                break;
            }
            $this->at++;
            $this->space();
        }
        $this->take('}');
        return (object) $members;
    }

    /** @return list<mixed> */
    private function list(int $depth): array
    {
        $elements = [];
        $this->space();
        if ($this->peek() === ']') {
            $this->at++;
            return [];
        }
        while (true) {
            $elements[] = $this->value($depth + 1);
            $this->space();
            if ($this->peek() !== ',') {
                break;
            }
            $this->at++;
            $this->space();
        }
        $this->take(']');
        return $elements;
    }

    private function string(): string
    {
        $this->take('"');
        $parts = '';
        while (true) {
            $run = strcspn($this->text, self::SPECIAL, $this->at);
            $parts .= substr($this->text, $this->at, $run);
            $this->at += $run;
            $end = $this->peek();
            $this->at++;
            if ($end === '"') {
                return $parts;
            }
            if ($end !== '\\') {
                throw self::malformed();
            }
            $parts .= $this->escape();
        }
    }

    private function escape(): string
    {
        $letter = $this->peek();
        $this->at++;
        if (isset(self::ESCAPES[$letter])) {
            return self::ESCAPES[$letter];
        }
        if ($letter !== 'u') {
            throw self::malformed();
        }
        $unit = $this->unit();
        if ($unit < 0xd800 || $unit > 0xdfff) {
            return self::encoded($unit);
        }
        if ($unit < 0xdc00 && substr($this->text, $this->at, 2) === '\\u') {
            $this->at += 2;
            $low = $this->unit();
            if ($low >= 0xdc00 && $low <= 0xdfff) {
                return self::encoded(0x10000 + (($unit - 0xd800) << 10) + $low - 0xdc00);
            }
        }
        throw new MalformedJson('A text has half of a surrogate pair: send the whole character.');
    }

    /** Reads four hexadecimal digits. */
    private function unit(): int
    {
        $digits = substr($this->text, $this->at, 4);
        if (strlen($digits) !== 4 || strspn($digits, '0123456789abcdefABCDEF') !== 4) {
            throw self::malformed();
        }
        $this->at += 4;
        return (int) hexdec($digits);
    }

    private static function encoded(int $c): string
    {
        return match (true) {
            $c < 0x80 => chr($c),
            $c < 0x800 => chr(0xc0 | $c >> 6) . chr(0x80 | $c & 0x3f),
            $c < 0x10000 => chr(0xe0 | $c >> 12) . chr(0x80 | $c >> 6 & 0x3f) . chr(0x80 | $c & 0x3f),
            default => chr(0xf0 | $c >> 18) . chr(0x80 | $c >> 12 & 0x3f) . chr(0x80 | $c >> 6 & 0x3f) . chr(0x80 | $c & 0x3f),
        };
    }

    private function number(): int|float|Number
    {
        $found = preg_match('/\G-?(?:0|[1-9][0-9]*+)(\.[0-9]++)?([eE][-+]?[0-9]++)?/', $this->text, $match, 0, $this->at);
        if ($found !== 1) {
            throw self::malformed();
        }
        $text = $match[0];
        $this->at += strlen($text);
        if (strlen($text) > self::MAX_NUMBER) {
            throw self::outOfRange();
        }
        $float = (float) $text;
        if (!is_finite($float) || ($float === 0.0 && strpbrk(preg_split('/[eE]/', $text)[0], '123456789') !== false)) {
            throw self::outOfRange();
        }
        if (strpbrk($text, '.eE') !== false || $text === '-0') { // programs differ on whether -0 is the whole number
            return $this->exact && !Number::isExact($text, $float) ? new Number($text) : $float;
        }
        $whole = filter_var($text, FILTER_VALIDATE_INT);
        return $whole === false ? new Number($text) : $whole;
    }

    private function peek(): string
    {
        return $this->text[$this->at] ?? '';
    }

    private function take(string $expected): void
    {
        if ($this->peek() !== $expected) {
            throw self::malformed();
        }
        $this->at++;
    }

    private function space(): void
    {
        $this->at += strspn($this->text, self::SPACE, $this->at);
    }

    private static function malformed(): MalformedJson
    {
        return new MalformedJson('The body is not JSON: send one JSON value.');
    }

    private static function outOfRange(): MalformedJson
    {
        return new MalformedJson('A number is out of range: send numbers that a 64-bit float can hold.');
    }
}
