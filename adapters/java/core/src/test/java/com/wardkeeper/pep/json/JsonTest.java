package com.wardkeeper.pep.json;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTest {
  private static Object parse(String text) throws MalformedJsonException {
    return Json.parse(text.getBytes(StandardCharsets.UTF_8));
  }

  static Stream<String> refused() {
    return Stream.of(
        "{\"a\":1,\"a\":1}",
        "{\"a\":1,\"\\u0061\":2}",
        "{\"a\":null,\"a\":null}",
        "{\"x\":[{\"y\":{\"a\":1,\"a\":2}}]}",
        "{\"a\":1}}",
        "{\"a\":1}{\"b\":2}",
        "{\"a\":1",
        "{\"a\":1,}",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\" 1}",
        "{a:1}",
        "{\"a\":1/**/}",
        "{'a':1}",
        "{\"a\":True}",
        "{\"a\":NaN}",
        "{\"a\":-Infinity}",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":.5}",
        "{\"a\":1.}",
        "{\"a\":1e}",
        "{\"a\":-}",
        "{\"a\":1e999}",
        "{\"a\":1e-999}",
        "{\"a\":1e-99999999999}",
        "{\"a\":" + "1".repeat(401) + "}",
        "{\"a\":" + "9".repeat(309) + "}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\\ud800x\"}",
        "{\"\\udc00\":1}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u00g0\"}",
        "{\"a\":\"\\u\u0660\u0660\u0660\u0660\"}",
        "{\"a\":\"\0\"}",
        "\ufeff{\"a\":1}",
        "\u00a0{}",
        "",
        " ",
        "tru",
        "nulls",
        "[".repeat(65) + "]".repeat(65),
        "[".repeat(100_000) + "]".repeat(100_000),
        "[" + "1,".repeat(100_000) + "1]",
        "[\"" + "\\\"[".repeat(40_000));
  }

  @ParameterizedTest
  @MethodSource
  void refused(String text) {
    Exception problem = assertThrows(MalformedJsonException.class, () -> parse(text));
    assertTrue(problem.getMessage().endsWith("."), problem.getMessage());
  }

  @Test
  void textThatIsNotUtf8() {
    byte[] text = {'"', (byte) 0xff, '"'};
    assertThrows(MalformedJsonException.class, () -> Json.parse(text));
  }

  @Test
  void accepted() throws MalformedJsonException {
    assertEquals(
        Map.of("a", Arrays.asList(1L, new BigDecimal("2.50"), "\ud83d\ude00", null, true)),
        parse(" {\"a\" : [1, 2.50, \"\\ud83d\\ude00\", null, true]}\n"));
    assertEquals(
        List.of("[".repeat(100) + "\"{{{{"), parse("[\"" + "[".repeat(100) + "\\\"{{{{\"]"));
    assertEquals(9_007_199_254_740_993L, parse("9007199254740993"));
    assertEquals(new BigInteger("9".repeat(30)), parse("9".repeat(30)));
    assertEquals(new BigDecimal("0.1"), parse("1e-1"));
    parse("[".repeat(64) + "]".repeat(64));
    parse("0e999999999");
  }

  @ParameterizedTest
  @ValueSource(strings = {"-0", "-0.0", "-0e5"})
  void minusZeroIsNoWholeNumber(String text) throws MalformedJsonException {
    assertInstanceOf(Double.class, parse(text));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"a\":[1,2.50,9007199254740993,\"\\\"\\\\\\u0000é\ud83d\ude00\",null,true,{},[]]}",
        "-0.0"
      })
  void whatIsParsedIsWrittenAlike(String text) throws MalformedJsonException {
    assertEquals(text, new String(Json.write(parse(text)), StandardCharsets.UTF_8));
  }

  @Test
  void whatJsonDoesNotHave() {
    List<Object> endless = new ArrayList<>();
    endless.add(endless);
    List<Object> all =
        List.of(
            Double.NaN,
            Float.POSITIVE_INFINITY,
            new Object(),
            Map.of(1, 2),
            endless,
            "\ud800",
            "\udc00x");
    for (Object value : all) {
      assertThrows(IllegalArgumentException.class, () -> Json.write(value));
    }
  }
}
