<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Tests\Unit;

use PHPUnit\Framework\TestCase;
use Wardkeeper\Pep\Json\Json;
use Wardkeeper\Pep\Json\MalformedJson;
use Wardkeeper\Pep\Json\Number;

final class JsonTest extends TestCase
{
    /** @dataProvider texts */
    public function testWhatIsReadIsWrittenAlike(string $text, string $written): void
    {
        self::assertSame($written, Json::encode(Json::parse($text)));
    }

    /** @return iterable<array{string, string}> */
    public static function texts(): iterable
    {
        yield [' { "a" : [ 1 , true , null , "x" ] } ', '{"a":[1,true,null,"x"]}'];
        yield ['{"0":1,"":{},"1":[]}', '{"0":1,"":{},"1":[]}'];
        yield ['"\ud83d\ude00\u00e9\/\b"', "\"😀é/\\b\""];
        yield ['[9223372036854775807,-5,12345678901234567890]', '[9223372036854775807,-5,12345678901234567890]'];
        yield ['[1.5,1e2,-0]', '[1.5,100.0,-0.0]'];
        yield [str_repeat('[', 64) . str_repeat(']', 64), str_repeat('[', 64) . str_repeat(']', 64)];
    }

    /** @dataProvider malformed */
    public function testWhatProgramsReadInDifferentWaysIsMalformed(string $text): void
    {
        $this->expectException(MalformedJson::class);
        Json::parse($text);
    }

    /** @return iterable<array{string}> */
    public static function malformed(): iterable
    {
        foreach (
            [
                '', ' ', '{', '{"a":1', '{"a":1,}', '[1,]', '[1 2]', '{a:1}', "{'a':1}", '{"a":1}}', '{"a":1}{"a":1}', '01', '-', '1.',
                '.5', '+1', '1e', 'tru', 'True', 'NaN', 'Infinity', '1e400', '1e-400', '"a', "\"\t\"", '"\x"', '"\u12"', '"\ud800"',
                '"\udc00\ud800"', '"\ud800\u0041"', "\xef\xbb\xbf1", "\"\xff\"", "\"\xc0\x80\"", '{"a":1,"a":1}', '{"a":1,"\u0061":2}',
                '{"0":1,"0":2}', '[{"x":{"b":1,"b":1}}]', '{"\u0000a":1}', '{"a":1}/**/', str_repeat('[', 65) . str_repeat(']', 65),
                str_repeat('1', 401), str_repeat('[', 100_000),
            ] as $text
        ) {
            yield [$text];
        }
    }

    public function testItTakesTimeInProportionToTheLength(): void
    {
        $texts = static fn (int $n) => ['"' . str_repeat('\\\\', $n) . '"', '[' . str_repeat(' ', $n), '"' . str_repeat('a', $n)];
        foreach ($texts(1 << 20) as $text) {
            $began = microtime(true);
            try {
                Json::parse($text);
            } catch (MalformedJson) {
            }
            self::assertLessThan(10.0, microtime(true) - $began);
        }
    }

    public function testNumbersThatProgramsRoundAreFound(): void
    {
        foreach (['1', '17', '0.1', '1e3', '9007199254740992', '0', '-0', '1.50', '123456.789e-3', '100000000000000000000'] as $exact) {
            self::assertTrue(Number::areExact(Json::parse("[$exact]", exact: true)), $exact);
        }
        foreach (['9007199254740993', '0.1000000000000000055', '123456789012345678901', '1.00000000000000000001'] as $rounded) {
            self::assertFalse(Number::areExact(Json::parse("{\"a\":[$rounded]}", exact: true)), $rounded);
        }
    }

    public function testWhatJsonDoesNotHaveIsNotWritten(): void
    {
        foreach ([NAN, INF, "\xff", $this] as $value) {
            try {
                Json::encode([$value]);
                self::fail('it was written');
            } catch (\InvalidArgumentException) {
                self::addToAssertionCount(1);
            }
        }
    }
}
