package com.wardkeeper.pep.identity;

import java.util.Map;

/** Verifies the token that names a person. {@link JwtVerifier} does so with the issuer's keys. */
@FunctionalInterface
public interface TokenVerifier {
  /**
   * Returns the claims of a token.
   *
   * @throws TokenInvalidException if it is not valid
   * @throws KeysUnavailableException if that cannot be found out now
   */
  Map<String, Object> verify(String token) throws TokenInvalidException, KeysUnavailableException;
}
