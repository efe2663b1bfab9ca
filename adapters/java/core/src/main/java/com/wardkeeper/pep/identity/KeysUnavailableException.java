package com.wardkeeper.pep.identity;

/** It cannot be found out now whether a token is valid. */
public final class KeysUnavailableException extends Exception {
  private static final long serialVersionUID = 1L;

  /** Returns the exception. */
  public KeysUnavailableException() {
    super("the keys of the issuer are not available");
  }
}
