package com.wardkeeper.pep.http;

import java.util.Locale;

/**
 * Where a server is.
 *
 * @param host to connect to, without brackets; empty for a Unix socket
 * @param port to connect to
 * @param socket the path of a Unix socket, or empty
 * @param tls whether the connection is encrypted
 * @param authority of the Host field
 * @param target what follows the authority: path and query
 */
public record Address(
    String host, int port, String socket, boolean tls, String authority, String target) {
  private static final String FORMS = "use http://HOST:PORT, https://HOST or unix:/PATH";

  /**
   * Parses the URL of a decision point.
   *
   * @throws IllegalArgumentException with what to write instead; it has no credentials
   */
  public static Address of(String url) {
    if (url.startsWith("unix:")) {
      String path = url.substring("unix:".length());
      if (!path.startsWith("/") || path.startsWith("//") || path.indexOf('\0') >= 0) {
        throw new IllegalArgumentException(
            "the URL of the decision point has no absolute path: use unix:/PATH");
      }
      return new Address("", 0, path, false, "localhost", "");
    }
    Address found = ofResource(url);
    if (found == null) {
      throw new IllegalArgumentException(
          "the URL of the decision point is not that of a server, or has credentials"
              + " (give them as token): "
              + FORMS);
    }
    if (found.target.indexOf('?') >= 0) {
      throw new IllegalArgumentException(
          "the URL of the decision point has a query: " + FORMS + ", at most with a path");
    }
    int end = found.target.length();
    while (end > 0 && found.target.charAt(end - 1) == '/') {
      end--;
    }
    return found.withTarget(found.target.substring(0, end));
  }

  /** Parses an http or https URL without credentials and fragment. It is null for another text. */
  public static Address ofResource(String url) {
    for (int i = 0; i < url.length(); i++) {
      if (url.charAt(i) <= ' ' || url.charAt(i) > '~') {
        return null;
      }
    }
    int colon = url.indexOf("://");
    String scheme = colon < 0 ? "" : url.substring(0, colon).toLowerCase(Locale.ROOT);
    boolean tls = scheme.equals("https");
    if ((!tls && !scheme.equals("http")) || url.indexOf('#') >= 0) {
      return null;
    }
    String rest = url.substring(colon + "://".length());
    int end = 0;
    while (end < rest.length() && rest.charAt(end) != '/' && rest.charAt(end) != '?') {
      end++;
    }
    String authority = rest.substring(0, end);
    int bracket = authority.lastIndexOf(']');
    int at = authority.indexOf(':', bracket + 1);
    String host = at < 0 ? authority : authority.substring(0, at);
    int port = at < 0 ? (tls ? 443 : 80) : portOf(authority.substring(at + 1));
    if (bracket >= 0) {
      if (!host.startsWith("[") || !host.endsWith("]")) {
        return null;
      }
      host = host.substring(1, host.length() - 1);
    }
    boolean isHost = !host.isEmpty() && authority.indexOf('@') < 0 && host.indexOf('\\') < 0;
    return isHost && port > 0
        ? new Address(host, port, "", tls, authority, rest.substring(end))
        : null;
  }

  private static int portOf(String digits) {
    if (digits.isEmpty() || digits.length() > 5) {
      return 0;
    }
    int port = 0;
    for (int i = 0; i < digits.length(); i++) {
      char c = digits.charAt(i);
      if (c < '0' || c > '9') {
        return 0;
      }
      port = port * 10 + c - '0';
    }
    return port <= 65_535 ? port : 0;
  }

  /** Returns the same server with something else after the authority. */
  public Address withTarget(String other) {
    return new Address(host, port, socket, tls, authority, other);
  }

  /** Returns the origin of the server's URLs. */
  public String origin() {
    return (tls ? "https://" : "http://") + authority;
  }
}
