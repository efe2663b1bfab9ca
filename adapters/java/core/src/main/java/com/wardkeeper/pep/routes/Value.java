package com.wardkeeper.pep.routes;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.List;
import java.util.Map;

/**
 * A value that a question has: a literal, or a reference to a part of the request.
 *
 * @param source where it comes from; null for a literal
 * @param literal the literal
 * @param name of the parameter, header or claim, or the JSON pointer
 * @param pointer the decoded JSON pointer
 * @param segment of the template, for a parameter of the path
 * @param optional whether the member is left out where the request does not have the value
 */
record Value(
    Source source,
    Object literal,
    String name,
    List<String> pointer,
    int segment,
    boolean optional) {
  static final int MAX_NAME = 1 << 10; // bytes of a type, an id or a name

  /** Whole numbers up to here are the same as 64-bit floats. */
  private static final long MAX_WHOLE = 1L << 53;

  /** A float has as many decimal digits at most, and keeps as many always. */
  private static final int MOST_DIGITS = 17;

  private static final int ALWAYS_KEPT = 15;

  /** Smaller floats keep fewer digits. */
  private static final double SMALL = 1e-300;

  enum Source {
    PATH,
    QUERY,
    HEADER,
    CLAIM,
    BODY;

    String key() {
      return Texts.lower(name());
    }
  }

  /** Constrains a value. */
  enum Form {
    ANY,
    /**
     * Not empty, without control characters and spaces around; a whole number counts as its digits.
     */
    TEXT,
    /** Also as text. */
    BOOLEAN
  }

  /** A drawn value is not what its place needs. The message is the end of a sentence. */
  static final class UnfitException extends Exception {
    private static final long serialVersionUID = 1L;

    UnfitException(String message) {
      super(message);
    }
  }

  static Value literal(Object literal) {
    return new Value(null, literal, "", List.of(), -1, false);
  }

  /** Returns a drawn value in the form that its place needs. */
  static Object convert(Object value, Form form) throws UnfitException {
    return switch (form) {
      case ANY -> {
        if (!isExact(value)) {
          throw new UnfitException("has a number that programs round in different ways");
        }
        yield value;
      }
      case TEXT -> text(value);
      case BOOLEAN -> {
        if (Boolean.TRUE.equals(value) || "true".equals(value)) {
          yield true;
        }
        if (Boolean.FALSE.equals(value) || "false".equals(value)) {
          yield false;
        }
        throw new UnfitException("is neither true nor false");
      }
    };
  }

  static String text(Object value) throws UnfitException {
    boolean isWhole = value instanceof Long number && Math.abs(number) < MAX_WHOLE;
    if (!isWhole && !(value instanceof String)) {
      throw new UnfitException("is not a text");
    }
    String text = value.toString();
    if (text.isEmpty()) {
      throw new UnfitException("is empty");
    }
    if (Texts.hasControl(text)) {
      throw new UnfitException("has control characters");
    }
    if (Texts.utf8Length(text) > MAX_NAME) {
      throw new UnfitException("is longer than " + MAX_NAME + " bytes");
    }
    // Many frameworks trim what they receive.
    if (isInvisible(text.codePointAt(0)) || isInvisible(text.codePointBefore(text.length()))) {
      throw new UnfitException("has spaces around it");
    }
    return text;
  }

  /**
   * Tells whether every number in a value keeps its digits as a 64-bit float, which many programs
   * make of it.
   */
  static boolean isExact(Object value) {
    if (value instanceof Map<?, ?> members) {
      return members.values().stream().allMatch(Value::isExact);
    }
    if (value instanceof List<?> elements) {
      return elements.stream().allMatch(Value::isExact);
    }
    return !(value instanceof Number number)
        || number instanceof Double
        || isExact(new BigDecimal(number.toString()));
  }

  private static boolean isExact(BigDecimal written) {
    double near = written.doubleValue();
    int digits = written.stripTrailingZeros().precision();
    if (written.signum() == 0 || digits > MOST_DIGITS) {
      return written.signum() == 0;
    }
    if (Math.abs(near) < SMALL) {
      return new BigDecimal(Double.toString(near)).compareTo(written) == 0;
    }
    // What is written has to be the shortest text of the float.
    int shortest = ALWAYS_KEPT;
    while (shortest < digits && rounded(near, shortest).doubleValue() != near) {
      shortest++;
    }
    return digits <= ALWAYS_KEPT || rounded(near, shortest).compareTo(written) == 0;
  }

  private static BigDecimal rounded(double number, int digits) {
    return new BigDecimal(number).round(new MathContext(digits, RoundingMode.HALF_EVEN));
  }

  /** Tells whether this is a space or an invisible format character, such as U+200B. */
  private static boolean isInvisible(int c) {
    return Character.isWhitespace(c)
        || Character.isSpaceChar(c)
        || Character.getType(c) == Character.FORMAT;
  }
}
