package com.wardkeeper.pep.http;

import com.wardkeeper.pep.BadStatusException;
import com.wardkeeper.pep.NoAnswerException;
import com.wardkeeper.pep.UnreachableException;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Reads one answer. Whatever is not a well-formed one with status 200, or 409 to a claim, is a
 * {@link NoAnswerException} (PEP-1).
 */
final class AnswerReader {
  private static final int MAX_HEAD = 64 << 10; // bytes of a header
  private static final int MAX_INTERIM = 5; // answers with a 1xx status before the final one
  private static final int MAX_CHUNK_LINE = 4 << 10;

  private final Connection connection;
  private final Request request;
  private final int maxBody;
  private final Deadline deadline;
  private int head; // bytes of the header so far
  private boolean begun;

  private record Field(String name, String value) {}

  AnswerReader(Connection connection, Request request, int maxBody, Deadline deadline) {
    this.connection = connection;
    this.request = request;
    this.maxBody = maxBody;
    this.deadline = deadline;
  }

  /** Whether anything has been received. */
  boolean begun() {
    return begun;
  }

  Answer read() throws IOException {
    for (int interim = 0; interim <= MAX_INTERIM; interim++) {
      String status = line();
      int code = statusOf(status);
      List<Field> fields = fields();
      if (code < 200 && code != 101) {
        continue;
      }
      if (code != 200 && !(code == 409 && request.claim())) {
        throw new BadStatusException(code);
      }
      check(fields);
      return body(code, fields, status.charAt("HTTP/1.".length()) == '1');
    }
    throw new UnreachableException("the decision point sent too many interim answers");
  }

  /** Reads a line, without its end. Characters are bytes. */
  private String line() throws IOException {
    StringBuilder line = new StringBuilder(64);
    while (true) {
      int c = connection.next(deadline);
      if (c < 0) {
        if (begun && head == line.length() && !line.toString().startsWith("HTTP/1.")) {
          throw notHttp();
        }
        throw new EOFException();
      }
      begun = true;
      if (++head > MAX_HEAD) {
        throw new UnreachableException(
            "the header of the answer of the decision point is too long");
      }
      if (c == '\r') {
        if (connection.next(deadline) != '\n') {
          throw notHttp();
        }
        return line.toString();
      }
      if ((c < ' ' && c != '\t') || c == 0x7f) {
        throw notHttp();
      }
      line.append((char) c);
    }
  }

  private static int statusOf(String line) {
    boolean isStatus =
        line.length() >= 12
            && (line.startsWith("HTTP/1.1 ") || line.startsWith("HTTP/1.0 "))
            && (line.length() == 12 || line.charAt(12) == ' ');
    int code = 0;
    for (int i = 9; isStatus && i < 12; i++) {
      int digit = line.charAt(i) - '0';
      isStatus = digit >= 0 && digit <= 9;
      code = code * 10 + digit;
    }
    if (!isStatus || code < 100) {
      throw notHttp();
    }
    return code;
  }

  private List<Field> fields() throws IOException {
    List<Field> fields = new ArrayList<>();
    while (true) {
      String line = line();
      if (line.isEmpty()) {
        return fields;
      }
      int colon = line.indexOf(':');
      if (colon <= 0 || !isToken(line, colon)) {
        throw notHttp();
      }
      fields.add(
          new Field(
              line.substring(0, colon).toLowerCase(Locale.ROOT),
              trimmed(line, colon + 1, line.length())));
    }
  }

  private static boolean isToken(String line, int end) {
    for (int i = 0; i < end; i++) {
      char c = line.charAt(i);
      boolean isWord = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
      if (!isWord && "!#$%&'*+-.^_`|~".indexOf(c) < 0) {
        return false;
      }
    }
    return true;
  }

  private static String trimmed(String text, int start, int end) {
    int from = start;
    int to = end;
    while (from < to && isBlank(text.charAt(from))) {
      from++;
    }
    while (from < to && isBlank(text.charAt(to - 1))) {
      to--;
    }
    return text.substring(from, to);
  }

  private static boolean isBlank(char c) {
    return c == ' ' || c == '\t';
  }

  private static List<String> values(List<Field> fields, String name) {
    return fields.stream().filter(field -> field.name.equals(name)).map(Field::value).toList();
  }

  /** Checks everything about an answer but its body. */
  private void check(List<Field> fields) {
    List<String> types = values(fields, "content-type");
    if (request.json() && (types.size() != 1 || !isJson(types.get(0)))) {
      throw new NoAnswerException("the decision point sent something else than application/json");
    }
    if (!values(fields, "content-encoding").isEmpty()) {
      throw new NoAnswerException(
          "the decision point sent an encoded answer, which was not asked for");
    }
    List<String> ids = values(fields, "x-request-id");
    String sent = request.fields().get("X-Request-ID");
    if (sent != null && !ids.isEmpty() && !ids.equals(List.of(sent))) {
      throw new NoAnswerException("the decision point answered another request");
    }
  }

  /**
   * Reports whether a type is that of JSON. Any parameter but the charset may announce another
   * format.
   */
  private static boolean isJson(String type) {
    int semicolon = type.indexOf(';');
    if (semicolon < 0) {
      return type.equalsIgnoreCase("application/json");
    }
    String charset = trimmed(type, semicolon + 1, type.length());
    return trimmed(type, 0, semicolon).equalsIgnoreCase("application/json")
        && (charset.equalsIgnoreCase("charset=utf-8")
            || charset.equalsIgnoreCase("charset=\"utf-8\""));
  }

  private Answer body(int status, List<Field> fields, boolean persistent) throws IOException {
    List<String> lengths = values(fields, "content-length");
    List<String> codings = values(fields, "transfer-encoding");
    String options = String.join(",", values(fields, "connection")).toLowerCase(Locale.ROOT);
    boolean keep = persistent && !options.contains("close");
    byte[] body;
    if (!codings.isEmpty()) {
      if (!lengths.isEmpty()
          || codings.size() != 1
          || !codings.get(0).equalsIgnoreCase("chunked")) {
        throw notHttp();
      }
      body = chunks();
    } else if (!lengths.isEmpty()) {
      if (lengths.size() != 1 || !isLength(lengths.get(0))) {
        throw notHttp();
      }
      body = exactly(Long.parseLong(lengths.get(0)));
    } else {
      body = rest();
      keep = false;
    }
    return new Answer(status, body, keep && !connection.hasMore());
  }

  private static boolean isLength(String text) {
    boolean is = !text.isEmpty() && text.length() <= 18;
    for (int i = 0; is && i < text.length(); i++) {
      is = text.charAt(i) >= '0' && text.charAt(i) <= '9';
    }
    return is;
  }

  private NoAnswerException tooLarge() {
    return new NoAnswerException(
        "the answer of the decision point is larger than " + maxBody + " bytes");
  }

  private byte[] exactly(long length) throws IOException {
    if (length > maxBody) {
      throw tooLarge();
    }
    byte[] body = new byte[(int) length];
    int at = 0;
    while (at < body.length) {
      int count = connection.next(body, at, body.length - at, deadline);
      if (count == 0) {
        throw new EOFException();
      }
      at += count;
    }
    return body;
  }

  private byte[] rest() throws IOException {
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    byte[] part = new byte[8 << 10];
    while (true) {
      int count = connection.next(part, 0, part.length, deadline);
      if (count == 0) {
        return body.toByteArray();
      }
      if (body.size() + count > maxBody) {
        throw tooLarge();
      }
      body.write(part, 0, count);
    }
  }

  private byte[] chunks() throws IOException {
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    while (true) {
      head = MAX_HEAD - MAX_CHUNK_LINE;
      int size = chunkSize(line());
      if (size == 0) {
        break;
      }
      if (body.size() + (long) size > maxBody) {
        throw tooLarge();
      }
      body.writeBytes(exactly(size));
      if (!line().isEmpty()) {
        throw notHttp();
      }
    }
    if (!line().isEmpty()) {
      throw new UnreachableException("the decision point sent fields after the body of its answer");
    }
    return body.toByteArray();
  }

  private int chunkSize(String line) {
    int semicolon = line.indexOf(';');
    String digits = trimmed(line, 0, semicolon < 0 ? line.length() : semicolon);
    if (digits.isEmpty() || digits.length() > 8) {
      throw notHttp();
    }
    long size = 0;
    for (int i = 0; i < digits.length(); i++) {
      char c = digits.charAt(i);
      int digit = c < 128 ? Character.digit(c, 16) : -1;
      if (digit < 0) {
        throw notHttp();
      }
      size = size << 4 | digit;
    }
    if (size > maxBody) {
      throw tooLarge();
    }
    return (int) size;
  }

  private static NoAnswerException notHttp() {
    // It has nothing of what was received, which may name persons (PEP-11).
    return new UnreachableException(
        "the connection to the decision point failed, or something else than HTTP was received"
            + " (with https: than TLS)");
  }
}
