<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Routes;

/** A template of paths, such as /users/{id}/files/{path...}. That of "/" has one segment, the empty literal.
 *
 * @internal
 */
final class Template
{
    public const LITERAL = 'literal';
    public const PARAMETER = 'parameter';
    public const REST = 'rest';

    private const MAX_SEGMENTS = 64;

    /** @param list<array{string, string}> $segments the kind of each, and its text or its name */
    private function __construct(public readonly array $segments)
    {
    }

    /** Parses a template.
     *
     * @throws \InvalidArgumentException with what is wrong
     */
    public static function of(string $text): self
    {
        if (!str_starts_with($text, '/')) {
            throw new \InvalidArgumentException("path \"$text\" does not begin with a slash: write it as /users/{id}");
        }
        if (strlen($text) > Target::MAX) {
            throw new \InvalidArgumentException('path is longer than ' . Target::MAX . ' bytes: shorten it');
        }
        $parts = explode('/', substr($text, 1));
        if (count($parts) > self::MAX_SEGMENTS) {
            throw new \InvalidArgumentException('path has more than ' . self::MAX_SEGMENTS . ' segments: shorten it');
        }
        $segments = $names = [];
        foreach ($parts as $i => $part) {
            [$kind, $name] = $segment = self::segment($part, $text);
            if ($kind === self::REST && $i < count($parts) - 1) {
                throw new \InvalidArgumentException(
                    "path \"$text\": {{$name}...} takes the rest of a path: make it the last segment"
                );
            }
            if ($kind !== self::LITERAL && isset($names[$name])) {
                throw new \InvalidArgumentException("path \"$text\": the parameter $name is there twice: rename one of them");
            }
            $names += $kind === self::LITERAL ? [] : [$name => true];
            $segments[] = $segment;
        }
        $literals = array_map(static fn (array $segment) => $segment[0] === self::LITERAL ? $segment[1] : 'x', $segments);
        try {
            Target::checkSegments('/' . implode('/', $literals));
        } catch (RouteError $error) {
            $sentence = lcfirst(rtrim($error->getMessage(), '.'));
            throw new \InvalidArgumentException(
                "path \"$text\" matches no request, because such requests are refused: $sentence"
            );
        }
        return new self($segments);
    }

    /** @return array{string, string} */
    private static function segment(string $part, string $text): array
    {
        if (preg_match('/\A\{(.*?)(\.\.\.)?\}\z/s', $part, $match) === 1) {
            if (preg_match('/\A[A-Za-z_][A-Za-z0-9_]*+\z/', $match[1]) !== 1) {
                throw new \InvalidArgumentException(
                    "path \"$text\": {{$match[1]}} is not a parameter: name it with letters, digits and underscores"
                );
            }
            return [isset($match[2]) ? self::REST : self::PARAMETER, $match[1]];
        }
        $odd = strcspn($part, '{}%;?#\\');
        if ($odd === strlen($part)) {
            return [self::LITERAL, $part];
        }
        throw new \InvalidArgumentException("path \"$text\": " . match ($part[$odd]) {
            '{', '}' => 'a parameter is a whole segment: put slashes around it',
            '%' => 'it has a percent sign: write the character itself that is meant',
            default => "it has \"$part[$odd]\", which no accepted request has in its path: remove it",
        });
    }

    /** Returns the index of the segment with a parameter, or -1. */
    public function indexOf(string $parameter): int
    {
        foreach ($this->segments as $i => [$kind, $name]) {
            if ($kind !== self::LITERAL && $name === $parameter) {
                return $i;
            }
        }
        return -1;
    }

    /** Returns the value of a segment in a path that matches; for a rest, all that follows. */
    public function valueOf(string $path, int $index): string
    {
        $parts = explode('/', substr($path, 1));
        return $this->segments[$index][0] === self::REST ? implode('/', array_slice($parts, $index)) : $parts[$index];
    }

    /** Returns a text that two templates share exactly if they differ at most in the names of their parameters. */
    public function shape(): string
    {
        return implode('', array_map(static fn (array $segment) => '/' . match ($segment[0]) {
            self::LITERAL => $segment[1],
            self::PARAMETER => '{}',
            default => '{...}',
        }, $this->segments));
    }
}
