package com.wardkeeper.pep.json;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/**
 * Strict JSON: what several programs could read in different ways is an error.
 *
 * <p>Objects are {@code Map<String, Object>}, arrays {@code List<Object>}, both unmodifiable and in
 * the order of the text. Numbers are exact: {@link Long}, {@link BigInteger} or {@link BigDecimal};
 * only a zero with a minus sign is a {@link Double}. Null is {@code null}.
 */
public final class Json {
  /** The deepest nesting of objects and arrays, the outermost included. */
  public static final int MAX_DEPTH = 64;

  private Json() {}

  /**
   * Parses one JSON value: in UTF-8, without duplicate members, unpaired surrogates, or anything
   * after its end.
   *
   * @throws MalformedJsonException with a sentence that may be sent to clients
   */
  public static Object parse(byte[] data) throws MalformedJsonException {
    String text;
    try {
      text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(data)).toString();
    } catch (CharacterCodingException e) {
      throw new MalformedJsonException("The body is not valid UTF-8: send JSON in UTF-8.");
    }
    return new Parser(text).document();
  }

  /**
   * Parses one JSON object, as strictly as {@link #parse}.
   *
   * @throws MalformedJsonException also for another value
   */
  public static Map<String, Object> parseObject(byte[] data) throws MalformedJsonException {
    Map<String, Object> members = object(parse(data));
    if (members == null) {
      throw new MalformedJsonException("The body is not a JSON object: send one JSON object.");
    }
    return members;
  }

  /** Returns a value as an object, or null if it is something else. */
  @SuppressWarnings("unchecked")
  public static Map<String, Object> object(Object value) {
    return value instanceof Map ? (Map<String, Object>) value : null;
  }

  /** Returns a value as an array, or null if it is something else. */
  @SuppressWarnings("unchecked")
  public static List<Object> array(Object value) {
    return value instanceof List ? (List<Object>) value : null;
  }

  /** Returns a value as a text, or "" if it is something else. */
  public static String text(Object value) {
    return value instanceof String text ? text : "";
  }

  /**
   * Encodes a value in UTF-8, without spaces.
   *
   * @throws IllegalArgumentException if it has something that JSON does not have, or is nested too
   *     deeply
   */
  public static byte[] write(Object value) {
    StringBuilder out = new StringBuilder();
    write(out, value, 0);
    return out.toString().getBytes(StandardCharsets.UTF_8);
  }

  private static void write(StringBuilder out, Object value, int depth) {
    if (depth > MAX_DEPTH) {
      throw new IllegalArgumentException("a value is nested too deeply for JSON");
    }
    if (value == null || value instanceof Boolean) {
      out.append(value);
    } else if (value instanceof CharSequence text) {
      writeText(out, text);
    } else if (value instanceof Number number) {
      writeNumber(out, number);
    } else if (value instanceof Map<?, ?> members) {
      char before = '{';
      for (Map.Entry<?, ?> member : members.entrySet()) {
        if (!(member.getKey() instanceof String name)) {
          throw new IllegalArgumentException("the name of a member is not a text");
        }
        out.append(before);
        writeText(out, name);
        out.append(':');
        write(out, member.getValue(), depth + 1);
        before = ',';
      }
      out.append(before == '{' ? "{}" : "}");
    } else if (value instanceof Iterable<?> elements) {
      char before = '[';
      for (Object element : elements) {
        out.append(before);
        write(out, element, depth + 1);
        before = ',';
      }
      out.append(before == '[' ? "[]" : "]");
    } else {
      throw new IllegalArgumentException("JSON has no " + value.getClass().getSimpleName());
    }
  }

  private static void writeNumber(StringBuilder out, Number number) {
    boolean isFloating = number instanceof Double || number instanceof Float;
    if (isFloating && !Double.isFinite(number.doubleValue())) {
      throw new IllegalArgumentException("JSON has no such number");
    }
    boolean isKnown =
        isFloating
            || number instanceof Integer
            || number instanceof Long
            || number instanceof Short
            || number instanceof Byte
            || number instanceof BigInteger
            || number instanceof BigDecimal;
    if (!isKnown) {
      throw new IllegalArgumentException("JSON has no " + number.getClass().getSimpleName());
    }
    out.append(number);
  }

  private static void writeText(StringBuilder out, CharSequence text) {
    out.append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"' || c == '\\') {
        out.append('\\').append(c);
      } else if (c < ' ' || c == '\u2028' || c == '\u2029' || c == '\u007f') {
        out.append("\\u").append(Character.forDigit(c >> 12, 16));
        out.append(Character.forDigit(c >> 8 & 15, 16)).append(Character.forDigit(c >> 4 & 15, 16));
        out.append(Character.forDigit(c & 15, 16));
      } else if (Character.isSurrogate(c)) {
        if (!Character.isHighSurrogate(c)
            || i + 1 == text.length()
            || !Character.isLowSurrogate(text.charAt(i + 1))) {
          throw new IllegalArgumentException("a text has half of a surrogate pair");
        }
        out.append(c).append(text.charAt(++i));
      } else {
        out.append(c);
      }
    }
    out.append('"');
  }
}
