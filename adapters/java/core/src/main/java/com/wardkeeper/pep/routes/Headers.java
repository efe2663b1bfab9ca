package com.wardkeeper.pep.routes;

import java.util.List;
import java.util.Set;

/**
 * Header fields: what could make the application take a request for another one, and values that a
 * question draws.
 */
final class Headers {
  /** The prefix of the fields in which a proxy tells the application what was decided. */
  static final String OURS = "X-Wardkeeper-";

  /** They make some applications act on another method or path than the request's. */
  static final List<String> REFUSED =
      List.of(
          "X-HTTP-Method-Override",
          "X-HTTP-Method",
          "X-Method-Override",
          "X-Original-URL",
          "X-Rewrite-URL");

  /** In these, proxies usually name the person. They overwrite this spelling alone. */
  private static final List<String> IDENTITY =
      List.of("X-Remote-User", "Remote-User", "X-Forwarded-User");

  /** Proxies act on these, so that the application may get other values than those judged. */
  static final List<String> UNDRAWABLE =
      List.of(
          "Authorization",
          "Connection",
          "Content-Length",
          "Cookie",
          "Host",
          "Proxy-Authorization",
          "TE",
          "Trailer",
          "Transfer-Encoding",
          "Upgrade");

  /** Proxies and adapters set these themselves. */
  static final List<String> REPLACED =
      List.of("X-Forwarded-Method", "X-Forwarded-Uri", "X-Forwarded-Host", "X-Request-ID");

  private static final Set<String> OPTIONS = Set.of("", "close", "keep-alive", "upgrade", "te");

  private Headers() {}

  /**
   * Returns a text that two names share exactly if some application could take one field for the
   * other. Case is ignored, and every character but letters and digits is a hyphen: CGI and its
   * successors make them underscores.
   */
  static String folded(String name) {
    StringBuilder folded = new StringBuilder(name.length());
    for (int i = 0; i < name.length(); i++) {
      char c = name.charAt(i);
      folded.append(Texts.isAlphanumeric(c) ? Character.toLowerCase(c) : '-');
    }
    return folded.toString();
  }

  /** Tells whether an application could take a field for one that only the proxy may send. */
  static boolean isReserved(String name) {
    return folded(name).startsWith(folded(OURS));
  }

  /** Returns the one of others that some application could take a field for, or null. */
  static String sameAs(String name, List<String> others) {
    String folded = folded(name);
    for (String other : others) {
      if (folded.equals(folded(other))) {
        return other;
      }
    }
    return null;
  }

  /**
   * Refuses fields that could make the application take the request for another one, or for another
   * person's.
   */
  static void check(List<Header> headers) throws RouteException {
    for (Header header : headers) {
      if (isReserved(header.name())) {
        throw RouteException.badRequest(
            "The request has a header that only the proxy may set: leave out those that begin with "
                + OURS
                + ".");
      }
      String refused = sameAs(header.name(), REFUSED);
      if (refused != null) {
        throw RouteException.badRequest(
            "The request has the header " + refused + ": send the request that is meant.");
      }
      checkSpelling(header, UNDRAWABLE);
      checkSpelling(header, IDENTITY);
      switch (Texts.lower(header.name())) {
        case "connection" -> checkConnection(header.value());
        case "trailer" -> // some programs merge them
            throw RouteException.badRequest(
                "The request announces trailers: send all headers before the body.");
        case "upgrade" -> {
          if (Texts.lower(header.value()).contains("h2c")) {
            throw RouteException.badRequest(
                "The request asks for HTTP/2 without TLS (Upgrade: h2c): what follows would not be"
                    + " judged.");
          }
        }
        default -> {}
      }
    }
  }

  private static void checkSpelling(Header header, List<String> others) throws RouteException {
    String meant = sameAs(header.name(), others);
    if (meant != null && !header.name().equalsIgnoreCase(meant)) {
      throw RouteException.badRequest(
          "The request has the header "
              + meant
              + " in another spelling: some programs take it for that.");
    }
  }

  /** Refuses a field that names others: a proxy would drop those on the way to the application. */
  private static void checkConnection(String value) throws RouteException {
    for (String option : value.split(",", -1)) {
      if (!OPTIONS.contains(Texts.lower(Texts.trimmed(option)))) {
        throw RouteException.badRequest(
            "The Connection header names a header: send close, keep-alive or upgrade.");
      }
    }
  }

  /** Returns the only value of a field, or null. */
  static String one(List<Header> headers, String name) throws RouteException {
    String found = null;
    String folded = folded(name);
    for (Header header : headers) {
      if (!folded(header.name()).equals(folded)) {
        continue;
      }
      if (found != null || !header.name().equalsIgnoreCase(name)) {
        throw RouteException.badRequest(
            "The header " + name + " is there twice or in another spelling: send it once.");
      }
      found = header.value();
    }
    return found;
  }

  /** Returns the value of a field that a question draws from, or null. */
  static String drawn(List<Header> headers, String name) throws RouteException {
    String value = one(headers, name);
    if (value == null) {
      return null;
    }
    if (value.isEmpty()) {
      throw RouteException.badRequest(
          "The header " + name + " is empty: send a value, or leave it out.");
    }
    if (value.indexOf(',') >= 0) {
      throw RouteException.badRequest(
          "The header "
              + name
              + " has a comma, as if it had been sent several times: send one value.");
    }
    boolean isPlain = value.charAt(0) != ' ' && value.charAt(value.length() - 1) != ' ';
    for (int i = 0; isPlain && i < value.length(); i++) {
      isPlain = value.charAt(i) >= ' ' && value.charAt(i) <= '~';
    }
    if (!isPlain) {
      throw RouteException.badRequest(
          "The header "
              + name
              + " has characters other than printable ASCII, or spaces around its value.");
    }
    return value;
  }
}
