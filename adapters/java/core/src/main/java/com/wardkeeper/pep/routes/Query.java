package com.wardkeeper.pep.routes;

import com.wardkeeper.pep.json.Json;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/** Parameters of the query: one value, or none. */
final class Query {
  static final String METHOD_PARAMETER = "_method";

  private Query() {}

  /**
   * Returns the value of a parameter, or null. A second one is an error, and one that only some
   * programs take for it. The query must have passed {@link #check}.
   */
  static String parameter(String query, String name) throws RouteException {
    String value = null;
    for (String pair : query.split("&", -1)) {
      int equals = pair.indexOf('=');
      String rawName = equals < 0 ? pair : pair.substring(0, equals);
      String rawValue = equals < 0 ? "" : pair.substring(equals + 1);
      String decoded = decoded(rawName);
      if (!isSame(decoded, name)) {
        continue;
      }
      String what = "The query parameter " + name;
      if (value != null) {
        throw RouteException.badRequest(what + " is there twice: send it once.");
      }
      if (!decoded.equals(name) || rawName.indexOf('+') >= 0) {
        throw RouteException.badRequest(
            what + " is there in another spelling: send it as " + name + ".");
      }
      if (rawValue.indexOf('+') >= 0) {
        throw RouteException.badRequest(
            what + " has a plus sign: send %20 for a space or %2B for a plus sign.");
      }
      if (rawValue.isEmpty()) {
        throw RouteException.badRequest(what + " is empty: send a value, or leave it out.");
      }
      value = decoded(rawValue);
    }
    return value;
  }

  /** Refuses a query that programs could read in different ways. */
  static void check(String query) throws RouteException {
    if (query.indexOf(';') >= 0) {
      throw RouteException.badRequest(
          "The query has a semicolon: programs disagree on whether a parameter begins there. Send"
              + " %3B.");
    }
    byte[] bytes = Texts.unescape(query);
    if (bytes == null) {
      throw RouteException.badRequest(
          "The query has a percent sign without two hexadecimal digits after it: encode characters"
              + " as %XX.");
    }
    String text = Texts.utf8(bytes);
    if (text == null) {
      throw RouteException.badRequest(
          "The query is not valid UTF-8 after decoding: percent-encode characters as UTF-8.");
    }
    if (Texts.hasControl(text)) {
      throw RouteException.badRequest("The query has an encoded control character.");
    }
  }

  /**
   * Refuses a form beside a drawn parameter: many frameworks merge its fields with those of the
   * query.
   */
  static void checkNoForm(List<Header> headers) throws RouteException {
    String type = Headers.one(headers, "Content-Type");
    String lower = type == null ? "" : Texts.lower(Texts.trimmed(type));
    if (lower.startsWith("application/x-www-form-urlencoded") || lower.startsWith("multipart/")) {
      throw RouteException.badRequest(
          "The request has a form, whose fields some programs take for parameters of the query:"
              + " send them in one place.");
    }
  }

  /**
   * Refuses a body with a member that is named like a drawn parameter: some frameworks merge those
   * too.
   */
  static void checkMembers(Object body, List<String> drawn) throws RouteException {
    Map<String, Object> members = Json.object(body);
    if (members == null) {
      return;
    }
    for (String member : members.keySet()) {
      for (String name : drawn) {
        if (isSame(member, name)) {
          throw RouteException.badRequest(
              "The body has a member with the name of the query parameter "
                  + name
                  + ": send one of them.");
        }
      }
    }
  }

  /** Tells whether the query has a parameter with which some frameworks override the method. */
  static boolean overridesMethod(String query) {
    for (String pair : query.replace(';', '&').split("&", -1)) {
      int equals = pair.indexOf('=');
      if (isSame(decoded(equals < 0 ? pair : pair.substring(0, equals)), METHOD_PARAMETER)) {
        return true;
      }
    }
    return false;
  }

  /** Decodes a name or a value. If a percent sign is invalid, only plus signs are decoded. */
  static String decoded(String text) {
    String spaced = text.replace('+', ' ');
    byte[] bytes = spaced.indexOf('%') < 0 ? null : Texts.unescape(spaced);
    return bytes == null ? spaced : new String(bytes, StandardCharsets.UTF_8);
  }

  /**
   * Tells whether some program takes the parameter {@code received} for {@code name}. Ignoring
   * case; with PHP's underscore for a dot, a space or a bracket; as an array or an object ({@code
   * name[]}, {@code name[x]}, {@code [name]}); or with spaces around it.
   */
  static boolean isSame(String received, String name) {
    int start = 0;
    int end = received.length();
    while (end > 0 && received.charAt(end - 1) == ' ') {
      end--;
    }
    while (start < end && received.charAt(start) == ' ') {
      start++;
    }
    if (isEqual(received.substring(start, end), name)) {
      return true;
    }
    while (start < end && (received.charAt(start) == ' ' || received.charAt(start) == '[')) {
      start++;
    }
    for (int i = start; i < end; i++) {
      if ("[]\0".indexOf(received.charAt(i)) >= 0) {
        return i > start && isEqual(received.substring(start, i), name);
      }
    }
    return false;
  }

  private static boolean isEqual(String a, String b) {
    return a.equalsIgnoreCase(b) || folded(a).equalsIgnoreCase(folded(b));
  }

  private static String folded(String text) {
    return text.replace('.', '_').replace(' ', '_').replace('[', '_').replace('+', '_');
  }
}
