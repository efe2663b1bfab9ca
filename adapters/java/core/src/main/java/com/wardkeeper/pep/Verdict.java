package com.wardkeeper.pep;

/** Whether an action may be done. Only {@link #PERMITTED} permits. */
public enum Verdict {
  /** The action may not be done. */
  DENIED,
  /** The action may be done. */
  PERMITTED,
  /** The person has to confirm first. */
  CONFIRMATION_REQUIRED,
  /** There is no answer. */
  UNAVAILABLE
}
