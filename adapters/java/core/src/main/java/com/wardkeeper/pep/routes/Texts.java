package com.wardkeeper.pep.routes;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Locale;

/** Texts of requests, read in linear time. */
final class Texts {
  private Texts() {}

  static boolean isAlphanumeric(int c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  }

  /** Tells whether a text consists of ASCII letters, digits and some other characters. */
  static boolean hasOnly(String text, String others) {
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (!isAlphanumeric(c) && others.indexOf(c) < 0) {
        return false;
      }
    }
    return true;
  }

  static String lower(String text) {
    return text.toLowerCase(Locale.ROOT);
  }

  /** Cuts spaces and tabs off. */
  static String trimmed(String text) {
    int start = 0;
    int end = text.length();
    while (start < end && isBlank(text.charAt(start))) {
      start++;
    }
    while (start < end && isBlank(text.charAt(end - 1))) {
      end--;
    }
    return text.substring(start, end);
  }

  private static boolean isBlank(char c) {
    return c == ' ' || c == '\t';
  }

  /** Tells whether a text has a control character (C0, DEL or C1), or is not Unicode. */
  static boolean hasControl(String text) {
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c < ' ' || (c >= 0x7f && c <= 0x9f)) {
        return true;
      }
      if (Character.isSurrogate(c)) {
        if (!Character.isHighSurrogate(c)
            || ++i == text.length()
            || !Character.isLowSurrogate(text.charAt(i))) {
          return true;
        }
      }
    }
    return false;
  }

  /** Decodes %XX. It is null if a percent sign is not followed by two hexadecimal digits. */
  static byte[] unescape(String text) {
    ByteArrayOutputStream decoded = new ByteArrayOutputStream(text.length());
    int start = 0;
    for (int i = text.indexOf('%'); i >= 0; i = text.indexOf('%', start)) {
      int code =
          i + 2 < text.length() ? hex(text.charAt(i + 1)) << 4 | hex(text.charAt(i + 2)) : -1;
      if (code < 0) {
        return null;
      }
      decoded.writeBytes(text.substring(start, i).getBytes(StandardCharsets.UTF_8));
      decoded.write(code);
      start = i + 3;
    }
    decoded.writeBytes(text.substring(start).getBytes(StandardCharsets.UTF_8));
    return decoded.toByteArray();
  }

  private static int hex(char c) {
    return c < 128 ? Character.digit(c, 16) : -1;
  }

  /** Decodes UTF-8. It is null if it is none. */
  static String utf8(byte[] bytes) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException e) {
      return null;
    }
  }

  static int utf8Length(String text) {
    return text.getBytes(StandardCharsets.UTF_8).length;
  }
}
