package com.wardkeeper.pep;

/**
 * Thrown where the application itself asks, to end a request with a refusal. The filter answers
 * with it.
 */
public final class RefusedException extends RuntimeException {
  private static final long serialVersionUID = 1L;
  private final transient Refusal refusal;

  /** Returns an exception for a refusal. */
  public RefusedException(Refusal refusal) {
    super(refusal.code());
    this.refusal = refusal;
  }

  /** Returns what the person gets. */
  public Refusal refusal() {
    return refusal == null ? Refusal.unavailable() : refusal; // it is null after serialization
  }
}
