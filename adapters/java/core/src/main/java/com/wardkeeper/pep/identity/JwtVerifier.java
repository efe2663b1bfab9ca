package com.wardkeeper.pep.identity;

import com.wardkeeper.pep.http.Address;
import com.wardkeeper.pep.json.Json;
import com.wardkeeper.pep.json.MalformedJsonException;
import com.wardkeeper.pep.routes.Jwt;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Verifies JSON Web Tokens (PEP-13). Several threads can use it at the same time.
 *
 * <p>Keys come from the configured place alone. A file is read again when it changes; a URL is
 * fetched again after ten minutes, and for a key that is not known.
 */
public final class JwtVerifier implements TokenVerifier {
  private static final int MAX_TOKEN = 16 << 10; // characters

  /** By how much clocks may differ. */
  private static final Duration LEEWAY = Duration.ofMinutes(1);

  /** A later time is a mistake. */
  private static final double MAX_SECONDS = 1L << 40;

  private final Jwt settings;
  private final Keys keys;
  private final Clock clock;

  /**
   * Verifies the tokens that a route file names.
   *
   * @throws IllegalArgumentException if the file of the keys cannot be used
   */
  public JwtVerifier(Jwt settings) {
    this(settings, Clock.systemUTC());
  }

  JwtVerifier(Jwt settings, Clock clock) {
    this.settings = settings;
    this.clock = clock;
    if (settings.keysFile().isEmpty()) {
      this.keys = new RemoteKeys(Address.ofResource(settings.keys()));
    } else {
      this.keys = new FileKeys(Path.of(settings.keysFile()));
    }
  }

  /** Waits at most a second for keys that are being fetched. */
  @Override
  public Map<String, Object> verify(String token)
      throws TokenInvalidException, KeysUnavailableException {
    if (token.length() > MAX_TOKEN) {
      throw new TokenInvalidException("the token is too long");
    }
    String[] parts = token.split("\\.", -1);
    if (parts.length != 3) {
      throw new TokenInvalidException("the token does not have three parts");
    }
    Map<String, Object> header = object(parts[0]);
    String algorithm = Json.text(header.get("alg"));
    String keyId = check(header);
    if (!settings.algorithms().contains(algorithm)) {
      throw new TokenInvalidException("the algorithm of the token is not accepted");
    }
    List<Key> candidates = keys.find(algorithm, keyId);
    byte[] signed = (parts[0] + "." + parts[1]).getBytes(StandardCharsets.UTF_8);
    byte[] signature = decode(parts[2]);
    if (candidates.stream().noneMatch(key -> key.hasSigned(algorithm, signed, signature))) {
      throw new TokenInvalidException("the signature of the token is not valid");
    }
    Map<String, Object> claims = object(parts[1]);
    checkClaims(claims);
    return claims;
  }

  /**
   * Returns the key id. Keys, and URLs of keys, in the header are ignored: the sender has chosen
   * them.
   */
  private static String check(Map<String, Object> header) throws TokenInvalidException {
    if (header.containsKey("crit")) {
      throw new TokenInvalidException("the token has an extension that is not known");
    }
    String type = Json.text(header.getOrDefault("typ", "JWT")).toLowerCase(Locale.ROOT);
    if (!type.equals("jwt") && !type.equals("at+jwt") && !type.equals("application/at+jwt")) {
      throw new TokenInvalidException("the token is not an access token");
    }
    if (!(header.getOrDefault("kid", "") instanceof String keyId)) {
      throw new TokenInvalidException("the header of the token is malformed");
    }
    return keyId;
  }

  private void checkClaims(Map<String, Object> claims) throws TokenInvalidException {
    if (!settings.issuer().equals(claims.get("iss"))) {
      throw new TokenInvalidException("the token is from another issuer");
    }
    Object audience = claims.get("aud");
    List<Object> audiences = Json.array(audience);
    boolean isMeant =
        audiences == null
            ? settings.audience().equals(audience)
            : audiences.contains(settings.audience());
    if (!isMeant) {
      throw new TokenInvalidException("the token is for another audience");
    }
    double now = clock.millis() / 1000.0;
    double expires = seconds(claims.get("exp"));
    if (Double.isNaN(expires)) {
      throw new TokenInvalidException("the token does not expire");
    }
    if (now >= expires + LEEWAY.toSeconds()) {
      throw new TokenInvalidException("the token has expired");
    }
    for (String name : List.of("nbf", "iat")) {
      double begins = seconds(claims.get(name));
      boolean isValid = claims.get(name) == null || now + LEEWAY.toSeconds() >= begins;
      if (!isValid) { // also if it is not a number
        throw new TokenInvalidException("the token is not valid yet");
      }
    }
  }

  /** Reads seconds since 1970. They are NaN for anything else. */
  private static double seconds(Object value) {
    boolean isTime =
        value instanceof Number number && Math.abs(number.doubleValue()) <= MAX_SECONDS;
    return isTime ? ((Number) value).doubleValue() : Double.NaN;
  }

  private static byte[] decode(String part) throws TokenInvalidException {
    try {
      return KeySet.decode(part);
    } catch (IllegalArgumentException e) {
      throw new TokenInvalidException("the token is malformed");
    }
  }

  /** Decodes a part of a token as strictly as a question. */
  private static Map<String, Object> object(String part) throws TokenInvalidException {
    try {
      return Json.parseObject(decode(part));
    } catch (MalformedJsonException e) {
      throw new TokenInvalidException("the token is malformed");
    }
  }
}
