package com.wardkeeper.pep.routes;

import java.util.Set;

/**
 * A request target: one spelling, or none.
 *
 * @param path decoded; slashes only separate segments
 * @param query as it was received
 */
record Target(String path, String query) {
  static final int MAX = 8 << 10; // bytes

  /** RFC 3986 section 3.3, without the semicolon. */
  private static final String RAW = "-._~!$&'()*+,=:@/%";

  /**
   * What compatibility normalization, which some programs apply to paths, turns into text with a
   * delimiter of paths.
   */
  private static final Set<Integer> LOOKALIKES =
      Set.of(
          0x037E, 0x2024, 0x2025, 0x2026, 0x2047, 0x2048, 0x2049, 0x2100, 0x2101, 0x2105, 0x2106,
          0x33C2, 0x33C7, 0x33D8, 0xFE16, 0xFE14, 0xFE19, 0xFE30, 0xFE52, 0xFE54, 0xFE56, 0xFE5F,
          0xFE68, 0xFE6A, 0xFF03, 0xFF05, 0xFF0E, 0xFF0F, 0xFF1B, 0xFF1F, 0xFF3C, 0x1F100);

  /** Digits with a full stop. */
  private static final int FIRST_DOTTED = 0x2488;

  private static final int LAST_DOTTED = 0x249B;

  /** Parses a request target as it was received. */
  static Target parse(String raw) throws RouteException {
    if (raw.length() > MAX) {
      throw RouteException.badRequest("The request target is too long: send at most 8 KiB.");
    }
    if (!raw.startsWith("/")) {
      throw RouteException.badRequest(
          "The request target is not a path: send it in origin form, beginning with a slash.");
    }
    for (int i = 0; i < raw.length(); i++) {
      if (raw.charAt(i) <= ' ' || raw.charAt(i) > '~') {
        throw RouteException.badRequest(
            "The request target has a space, a control character or a character outside ASCII:"
                + " percent-encode it as UTF-8.");
      }
    }
    if (raw.indexOf('#') >= 0) {
      throw RouteException.badRequest("The request target has a fragment: leave it out.");
    }
    int mark = raw.indexOf('?');
    String path = decoded(mark < 0 ? raw : raw.substring(0, mark));
    checkSegments(path);
    return new Target(path, mark < 0 ? "" : raw.substring(mark + 1));
  }

  private static String decoded(String path) throws RouteException {
    for (int i = 0; i < path.length(); i++) {
      char c = path.charAt(i);
      if (Texts.isAlphanumeric(c) || RAW.indexOf(c) >= 0) {
        continue;
      }
      throw RouteException.badRequest(
          switch (c) {
            case ';' ->
                "The path has a semicolon: programs disagree on whether a parameter begins there.";
            case '\\' -> "The path has a backslash: programs disagree on whether it is a slash.";
            default -> "The path has a character that must be percent-encoded there.";
          });
    }
    byte[] bytes = Texts.unescape(path);
    if (bytes == null) {
      throw RouteException.badRequest(
          "The path has a percent sign without two hexadecimal digits after it: encode characters"
              + " as %XX.");
    }
    for (int i = path.indexOf('%'); i >= 0; i = path.indexOf('%', i + 1)) {
      if ("/\\%;?#".indexOf(Integer.parseInt(path, i + 1, i + 3, 16)) >= 0) {
        throw RouteException.badRequest(
            "The path has an encoded slash, backslash, percent sign, semicolon, question mark or"
                + " number sign: programs read it in different ways.");
      }
    }
    String decoded = Texts.utf8(bytes);
    if (decoded == null) {
      throw RouteException.badRequest(
          "The path is not valid UTF-8 after decoding: percent-encode characters as UTF-8.");
    }
    return decoded;
  }

  /**
   * Refuses segments that some programs skip, resolve or shorten, and characters that some take for
   * others.
   */
  static void checkSegments(String path) throws RouteException {
    if (path.contains("//")) {
      throw RouteException.badRequest("The path has an empty segment (//): send single slashes.");
    }
    for (String segment : path.split("/", -1)) {
      if (segment.equals(".") || segment.equals("..")) {
        throw RouteException.badRequest("The path has a dot segment: send the path that is meant.");
      }
      if (segment.endsWith(".") || segment.endsWith(" ")) {
        throw RouteException.badRequest(
            "A segment of the path ends with a dot or a space: some programs drop it.");
      }
    }
    for (int i = 0; i < path.length(); i += Character.charCount(path.codePointAt(i))) {
      int c = path.codePointAt(i);
      if (c < ' ' || c == 0x7f) {
        throw RouteException.badRequest("The path has an encoded control character.");
      }
      if (c > 0x7f && isDelimiterToSome(c)) {
        throw RouteException.badRequest(
            "The path has a character that some programs convert to a slash, a dot or another"
                + " delimiter, or to a line break.");
      }
    }
  }

  private static boolean isDelimiterToSome(int c) {
    int type = Character.getType(c);
    return type == Character.CONTROL
        || type == Character.LINE_SEPARATOR
        || type == Character.PARAGRAPH_SEPARATOR
        || (c >= FIRST_DOTTED && c <= LAST_DOTTED)
        || LOOKALIKES.contains(c);
  }
}
