package com.wardkeeper.pep;

/** The decision point did not answer in time. */
public final class TimedOutException extends NoAnswerException {
  private static final long serialVersionUID = 1L;

  /** Returns the exception. */
  public TimedOutException() {
    super("the decision point did not answer in time");
  }
}
