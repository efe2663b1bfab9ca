package com.wardkeeper.pep.routes;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.List;

/** Hosts, as requests are compared with them. */
final class Hosts {
  private static final int MAX_HOST = 255 + ":65535".length();

  private Hosts() {}

  /** Returns the host of a request in lower case, without its port. */
  static String canonical(List<String> values) throws RouteException {
    if (values.size() != 1 || values.get(0).isEmpty()) {
      throw RouteException.badRequest(
          "The request has no host, or more than one: send the Host header once.");
    }
    String text = values.get(0);
    int colon = text.indexOf(':', text.indexOf(']') + 1);
    String host = colon < 0 ? text : text.substring(0, colon);
    boolean isOne = text.length() <= MAX_HOST && (isName(host) || isAddress(host));
    if (!isOne || (colon >= 0 && !isNumber(text.substring(colon + 1)))) {
      throw RouteException.badRequest(
          "The host is not a name or an address: send a name without a trailing dot, and at most a"
              + " port after it.");
    }
    return Texts.lower(host);
  }

  private static boolean isNumber(String text) {
    boolean is = !text.isEmpty() && text.length() <= 5;
    for (int i = 0; is && i < text.length(); i++) {
      is = text.charAt(i) >= '0' && text.charAt(i) <= '9';
    }
    return is;
  }

  /** Tells whether this is a name of letters, digits, hyphens and underscores with dots between. */
  private static boolean isName(String host) {
    return Texts.hasOnly(host, "-_.")
        && !host.isEmpty()
        && !host.startsWith(".")
        && !host.endsWith(".")
        && !host.contains("..");
  }

  private static boolean isAddress(String host) {
    if (!host.startsWith("[") || !host.endsWith("]") || host.length() < 4) {
      return false;
    }
    for (int i = 1; i < host.length() - 1; i++) {
      char c = host.charAt(i);
      if (c != ':' && c != '.' && (c >= 128 || Character.digit(c, 16) < 0)) {
        return false;
      }
    }
    try {
      // What is in brackets is never looked up.
      return host.indexOf(':') >= 0 && InetAddress.getByName(host) != null;
    } catch (UnknownHostException e) {
      return false;
    }
  }

  /** Tells whether a host is this machine. */
  static boolean isLoopback(String host) {
    if (host.equals("localhost") || host.equals("::1")) {
      return true;
    }
    String[] parts = host.split("\\.", -1);
    boolean is = parts.length == 4 && parts[0].equals("127");
    for (int i = 1; is && i < parts.length; i++) {
      is = isNumber(parts[i]) && Integer.parseInt(parts[i]) <= 255;
    }
    return is;
  }
}
