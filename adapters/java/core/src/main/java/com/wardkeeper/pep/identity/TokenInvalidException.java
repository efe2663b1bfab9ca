package com.wardkeeper.pep.identity;

/** A token is not valid. The message does not quote it: it may be logged. */
public final class TokenInvalidException extends Exception {
  private static final long serialVersionUID = 1L;

  /** Returns an exception that names nobody. */
  public TokenInvalidException(String message) {
    super(message);
  }
}
