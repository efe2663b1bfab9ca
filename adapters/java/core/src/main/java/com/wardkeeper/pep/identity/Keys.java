package com.wardkeeper.pep.identity;

import java.util.List;

/** Finds the keys that may have signed a token. */
interface Keys {
  /**
   * Returns the keys of an algorithm and, if it is not empty, a key id. There is at least one.
   *
   * @throws TokenInvalidException if the issuer has no such key
   * @throws KeysUnavailableException if that cannot be found out now
   */
  List<Key> find(String algorithm, String keyId)
      throws TokenInvalidException, KeysUnavailableException;

  /** Returns the keys that match. */
  static List<Key> matching(List<Key> keys, String algorithm, String keyId) {
    return keys.stream().filter(key -> key.matches(algorithm, keyId)).toList();
  }

  static TokenInvalidException noKey() {
    return new TokenInvalidException("the issuer has no such key as the token names");
  }
}
