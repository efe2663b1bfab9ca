package com.wardkeeper.pep.routes;

import com.wardkeeper.pep.json.Json;
import com.wardkeeper.pep.json.MalformedJsonException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Bodies that a question draws from. */
final class Bodies {
  static final int MAX = 64 << 10; // bytes

  private static final int MAX_INDEX = 9; // digits

  private Bodies() {}

  static RouteException tooLong() {
    return RouteException.badRequest("The body is too long: send at most 64 KiB.");
  }

  /** Parses a body, which is not empty: uncompressed JSON in UTF-8. */
  static Object parse(byte[] data, List<Header> headers) throws RouteException {
    String type = Headers.one(headers, "Content-Type");
    String encoding = Headers.one(headers, "Content-Encoding");
    if (encoding != null && !encoding.isEmpty()) {
      throw RouteException.badRequest("The body is encoded (Content-Encoding): send it as it is.");
    }
    if (type == null || !isJson(type)) {
      throw RouteException.badRequest(
          "The body is not JSON by its Content-Type: send application/json.");
    }
    try {
      return Json.parse(data);
    } catch (MalformedJsonException e) {
      throw RouteException.badRequest(e.getMessage());
    }
  }

  /**
   * Tells whether a Content-Type is that of JSON, perhaps with the charset, and perhaps with a
   * semicolon at the end.
   */
  private static boolean isJson(String type) {
    String[] parts = type.split(";", -1);
    if (parts.length > 3 || !Texts.trimmed(parts[0]).equalsIgnoreCase("application/json")) {
      return false;
    }
    int last = parts.length;
    if (last > 1 && Texts.trimmed(parts[last - 1]).isEmpty()) {
      last--;
    }
    String charset = last == 2 ? Texts.trimmed(parts[1]) : "";
    return last == 1
        || charset.equalsIgnoreCase("charset=utf-8")
        || charset.equalsIgnoreCase("charset=\"utf-8\"");
  }

  /**
   * Follows a JSON pointer. It is null where there is nothing, or null. A member whose name differs
   * from the wanted one only in case is an error: some programs take it for the wanted one.
   */
  static Object lookUp(Object body, List<String> pointer) throws RouteException {
    Object found = body;
    for (String token : pointer) {
      Map<String, Object> members = Json.object(found);
      List<Object> elements = Json.array(found);
      if (members != null) {
        for (String name : members.keySet()) {
          if (name.equalsIgnoreCase(token) && !name.equals(token)) {
            throw RouteException.badRequest(
                "The body has the member "
                    + token
                    + " in another spelling: send it as "
                    + token
                    + ".");
          }
        }
        found = members.get(token);
      } else if (elements != null && isIndex(token) && Integer.parseInt(token) < elements.size()) {
        found = elements.get(Integer.parseInt(token));
      } else {
        return null;
      }
    }
    return found;
  }

  private static boolean isIndex(String token) {
    boolean is = !token.isEmpty() && token.length() <= MAX_INDEX;
    for (int i = 0; is && i < token.length(); i++) {
      is = token.charAt(i) >= '0' && token.charAt(i) <= '9';
    }
    return is && (token.length() == 1 || token.charAt(0) != '0');
  }

  /** Decodes a JSON pointer (RFC 6901) that is not empty. It is null for another text. */
  static List<String> pointer(String text) {
    if (!text.startsWith("/")) {
      return null;
    }
    for (int i = text.indexOf('~'); i >= 0; i = text.indexOf('~', i + 1)) {
      if (i + 1 == text.length() || "01".indexOf(text.charAt(i + 1)) < 0) {
        return null;
      }
    }
    List<String> pointer = new ArrayList<>();
    for (String token : text.substring(1).split("/", -1)) {
      pointer.add(token.replace("~1", "/").replace("~0", "~"));
    }
    return pointer;
  }
}
