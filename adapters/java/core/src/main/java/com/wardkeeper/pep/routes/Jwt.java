package com.wardkeeper.pep.routes;

import java.util.List;
import java.util.Map;

/**
 * How the token of the person is verified.
 *
 * @param keys the URL of the key set; empty if there is a file
 * @param keysFile the file of the key set; empty if there is a URL
 * @param issuer the required issuer
 * @param audience the required audience
 * @param algorithms those that are accepted
 * @param claim the claim that is the id of the person
 * @param cookie the cookie with the token; empty if it is in the Authorization field
 */
public record Jwt(
    String keys,
    String keysFile,
    String issuer,
    String audience,
    List<String> algorithms,
    String claim,
    String cookie) {
  /** The signature algorithms that verify with a public key. */
  public static final List<String> ALGORITHMS =
      List.of(
          "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA");

  /** Returns the token of a request. */
  String token(List<Header> headers) throws RouteException {
    if (!cookie.isEmpty()) {
      return checked(cookie(headers));
    }
    String value = Headers.one(headers, "Authorization");
    int space = value == null ? -1 : value.indexOf(' ');
    if (space < 0 || !value.substring(0, space).equalsIgnoreCase("bearer")) {
      throw RouteException.unauthenticated(
          "Nobody is signed in: send a token in the Authorization header, as Bearer.", "");
    }
    return checked(value.substring(space + 1));
  }

  /**
   * Returns the value of the cookie, which is there once. HTTP/2 may split cookies over several
   * fields.
   */
  private String cookie(List<Header> headers) throws RouteException {
    String token = null;
    for (Header header : headers) {
      if (!header.name().equalsIgnoreCase("cookie")) {
        continue;
      }
      for (String pair : header.value().split(";", -1)) {
        int equals = pair.indexOf('=');
        String name = Texts.trimmed(equals < 0 ? pair : pair.substring(0, equals));
        if (!Query.isSame(Query.decoded(name), cookie)) {
          continue;
        }
        if (token != null || !name.equals(cookie)) {
          throw RouteException.badRequest(
              "The cookie " + cookie + " is there twice or in another spelling: send it once.");
        }
        token = equals < 0 ? "" : Texts.trimmed(pair.substring(equals + 1));
      }
    }
    if (token == null) {
      throw RouteException.unauthenticated(
          "Nobody is signed in: send the cookie " + cookie + ".", "");
    }
    return token;
  }

  /**
   * Checks that a token is not empty, and has only the characters of tokens (RFC 6750 section 2.1).
   */
  private static String checked(String token) throws RouteException {
    if (token.isEmpty() || !Texts.hasOnly(token, "-._~+/=")) {
      throw RouteException.unauthenticated("The token is not valid: sign in again.", "");
    }
    return token;
  }

  /** Returns the person whom the claims of a verified token name. */
  String person(Map<String, Object> claims) throws RouteException {
    try {
      return Value.text(claims.get(claim));
    } catch (Value.UnfitException e) {
      throw RouteException.unauthenticated(
          "The claim " + claim + " of the token " + e.getMessage() + ": it has to name the person.",
          "");
    }
  }
}
