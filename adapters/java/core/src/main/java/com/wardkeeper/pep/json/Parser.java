package com.wardkeeper.pep.json;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Parses one text. */
final class Parser {
  /** A longer number adds no precision and is slow to compute with. */
  private static final int MAX_NUMBER = 400;

  private static final int MAX_VALUES = 100_000;

  /** A whole number beyond it has no 64-bit float near it. */
  private static final int MAX_BITS = 1023;

  private final String text;
  private int at;
  private int depth;
  private int values;

  Parser(String text) {
    this.text = text;
  }

  Object document() throws MalformedJsonException {
    Object value = value();
    space();
    if (at < text.length()) {
      throw new MalformedJsonException(
          "The body goes on after its JSON: send one value and nothing else.");
    }
    return value;
  }

  private MalformedJsonException invalid() {
    return new MalformedJsonException(
        at >= text.length()
            ? "The body ends before its JSON is complete: send the whole of it."
            : "The body is not valid JSON near character " + at + ": send well-formed JSON.");
  }

  private char peek() {
    return at < text.length() ? text.charAt(at) : '\0';
  }

  private void space() {
    while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
      at++;
    }
  }

  private void expect(char c) throws MalformedJsonException {
    if (at >= text.length() || text.charAt(at) != c) {
      throw invalid();
    }
    at++;
  }

  private Object value() throws MalformedJsonException {
    if (++values > MAX_VALUES) {
      throw new MalformedJsonException(
          "The body has too many values: send at most " + MAX_VALUES + ".");
    }
    space();
    return switch (peek()) {
      case '{' -> object();
      case '[' -> array();
      case '"' -> string();
      case 't' -> word("true", true);
      case 'f' -> word("false", false);
      case 'n' -> word("null", null);
      default -> number();
    };
  }

  private Object word(String word, Object value) throws MalformedJsonException {
    if (!text.startsWith(word, at)) {
      throw invalid();
    }
    at += word.length();
    return value;
  }

  private void descend() throws MalformedJsonException {
    at++;
    if (++depth > Json.MAX_DEPTH) {
      throw new MalformedJsonException(
          "The JSON is nested too deeply: nest objects and arrays at most "
              + Json.MAX_DEPTH
              + " levels.");
    }
    space();
  }

  /** Tells whether another element follows; otherwise it takes the end. */
  private boolean goesOn(char end) throws MalformedJsonException {
    space();
    if (peek() == ',') {
      at++;
      return true;
    }
    expect(end);
    depth--;
    return false;
  }

  private Map<String, Object> object() throws MalformedJsonException {
    descend();
    Map<String, Object> members = new LinkedHashMap<>();
    if (peek() == '}') {
      at++;
      depth--;
      return Collections.unmodifiableMap(members);
    }
    do {
      space();
      String name = string();
      space();
      expect(':');
      Object member = value();
      if (members.containsKey(name)) {
        throw new MalformedJsonException("A member appears twice in an object: send it once.");
      }
      members.put(name, member);
    } while (goesOn('}'));
    return Collections.unmodifiableMap(members);
  }

  private List<Object> array() throws MalformedJsonException {
    descend();
    List<Object> elements = new ArrayList<>();
    if (peek() == ']') {
      at++;
      depth--;
      return Collections.unmodifiableList(elements);
    }
    do {
      elements.add(value());
    } while (goesOn(']'));
    return Collections.unmodifiableList(elements);
  }

  private String string() throws MalformedJsonException {
    expect('"');
    int start = at;
    StringBuilder decoded = null; // only if there is an escape
    while (true) {
      if (at >= text.length()) {
        throw invalid();
      }
      char c = text.charAt(at);
      if (c == '"') {
        String rest = text.substring(start, at++);
        return decoded == null ? rest : checked(decoded.append(rest).toString());
      }
      if (c < ' ') {
        throw invalid();
      }
      at++;
      if (c == '\\') {
        decoded = (decoded == null ? new StringBuilder() : decoded).append(text, start, at - 1);
        decoded.append(escape());
        start = at;
      }
    }
  }

  private char escape() throws MalformedJsonException {
    int found = "\"\\/bfnrt".indexOf(peek());
    if (at < text.length() && found >= 0) {
      at++;
      return "\"\\/\b\f\n\r\t".charAt(found);
    }
    expect('u');
    int code = 0;
    for (int end = at + 4; at < end; at++) {
      char c = peek();
      int digit = c < 128 ? Character.digit(c, 16) : -1;
      if (digit < 0) {
        throw invalid();
      }
      code = code << 4 | digit;
    }
    return (char) code;
  }

  private static String checked(String decoded) throws MalformedJsonException {
    for (int i = 0; i < decoded.length(); i++) {
      char c = decoded.charAt(i);
      if (!Character.isSurrogate(c)) {
        continue;
      }
      if (!Character.isHighSurrogate(c)
          || ++i == decoded.length()
          || !Character.isLowSurrogate(decoded.charAt(i))) {
        throw new MalformedJsonException(
            "A text has half of a surrogate pair: send the whole character.");
      }
    }
    return decoded;
  }

  private void digits() throws MalformedJsonException {
    int start = at;
    while (peek() >= '0' && peek() <= '9') {
      at++;
    }
    if (at == start) {
      throw invalid();
    }
  }

  private Number number() throws MalformedJsonException {
    int start = at;
    if (peek() == '-') {
      at++;
    }
    if (peek() == '0') {
      at++;
    } else {
      digits();
    }
    int mantissa = at;
    boolean whole = true;
    if (peek() == '.') {
      at++;
      digits();
      whole = false;
      mantissa = at;
    }
    if (peek() == 'e' || peek() == 'E') {
      at++;
      if (peek() == '+' || peek() == '-') {
        at++;
      }
      digits();
      whole = false;
    }
    if (at - start > MAX_NUMBER) {
      throw outOfRange();
    }
    boolean zero = isZero(start, mantissa);
    if (zero && text.charAt(start) == '-') {
      return -0.0; // programs differ on whether it is the whole number 0
    }
    return whole ? whole(text.substring(start, at)) : fraction(text.substring(start, at), zero);
  }

  private boolean isZero(int start, int end) {
    for (int i = start; i < end; i++) {
      if (text.charAt(i) > '0') {
        return false;
      }
    }
    return true;
  }

  private static Number whole(String digits) throws MalformedJsonException {
    BigInteger number = new BigInteger(digits);
    if (number.bitLength() > MAX_BITS) {
      throw outOfRange();
    }
    if (number.bitLength() < Long.SIZE) {
      return number.longValue();
    }
    return number;
  }

  private static Number fraction(String digits, boolean zero) throws MalformedJsonException {
    double near = Double.parseDouble(digits);
    if (Double.isInfinite(near) || (near == 0 && !zero)) {
      throw outOfRange();
    }
    if (zero) {
      return BigDecimal.ZERO.setScale(1); // whatever its exponent
    }
    return new BigDecimal(digits);
  }

  private static MalformedJsonException outOfRange() {
    return new MalformedJsonException(
        "A number is out of range: send numbers that a 64-bit float can hold.");
  }
}
