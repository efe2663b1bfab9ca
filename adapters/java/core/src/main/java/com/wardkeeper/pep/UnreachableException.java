package com.wardkeeper.pep;

/** The decision point cannot be reached, or the connection failed. */
public final class UnreachableException extends NoAnswerException {
  private static final long serialVersionUID = 1L;

  /** Returns an exception that names nobody. */
  public UnreachableException(String message) {
    super(message);
  }
}
