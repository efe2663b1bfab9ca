package com.wardkeeper.pep;

/**
 * There is no answer that can be understood. What was asked is not permitted.
 *
 * <p>The message names no person and has no value of the question: it may be logged.
 */
public class NoAnswerException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** Returns an exception that names nobody. */
  public NoAnswerException(String message) {
    super(message);
  }
}
