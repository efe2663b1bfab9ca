package com.wardkeeper.pep.http;

import com.wardkeeper.pep.NoAnswerException;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/**
 * A request.
 *
 * @param method GET or POST
 * @param target path and query
 * @param fields header fields
 * @param body of a POST
 * @param json whether only JSON is an answer
 * @param claim whether it claims something: it is never sent again, and 409 is an answer to it, too
 */
@SuppressWarnings("ArrayRecordComponent") // bytes are not copied
public record Request(
    String method,
    String target,
    Map<String, String> fields,
    byte[] body,
    boolean json,
    boolean claim) {
  /**
   * Returns the request as it is sent.
   *
   * @throws NoAnswerException if a field has a character that would end it
   */
  byte[] text(String authority) {
    StringBuilder head = new StringBuilder(512);
    head.append(method).append(' ').append(target).append(" HTTP/1.1\r\nHost: ").append(authority);
    head.append("\r\n");
    fields.forEach(
        (name, value) -> head.append(name).append(": ").append(checked(value)).append("\r\n"));
    if (method.equals("POST")) {
      head.append("Content-Length: ").append(body.length).append("\r\n");
    }
    byte[] begin = head.append("\r\n").toString().getBytes(StandardCharsets.ISO_8859_1);
    byte[] text = new byte[begin.length + body.length];
    System.arraycopy(begin, 0, text, 0, begin.length);
    System.arraycopy(body, 0, text, begin.length, body.length);
    return text;
  }

  private static String checked(String value) {
    for (int i = 0; i < value.length(); i++) {
      char c = value.charAt(i);
      if ((c < ' ' && c != '\t') || c == '\u007f' || c > '\u00ff') {
        throw new NoAnswerException("the request to the decision point cannot be made");
      }
    }
    return value;
  }
}
