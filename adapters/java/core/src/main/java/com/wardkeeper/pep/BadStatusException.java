package com.wardkeeper.pep;

/**
 * The decision point answered with a status other than 200. 401 means that the token is missing or
 * wrong.
 */
public final class BadStatusException extends NoAnswerException {
  private static final long serialVersionUID = 1L;
  private final int status;

  /** Returns an exception for a status. */
  public BadStatusException(int status) {
    super("the decision point answered with status " + status);
    this.status = status;
  }

  /** Returns the status. */
  public int status() {
    return status;
  }
}
