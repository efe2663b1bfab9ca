package com.wardkeeper.pep.spring;

import com.wardkeeper.pep.Refusal;
import java.util.Optional;
import org.springframework.security.authorization.AuthorizationDecision;

/** A decision of Spring Security that knows what to answer instead of the action. */
public final class CheckedDecision extends AuthorizationDecision {
  private static final long serialVersionUID = 1L;
  private final transient Refusal refusal; // null if granted

  private CheckedDecision(Refusal refusal) {
    super(refusal == null);
    this.refusal = refusal;
  }

  static CheckedDecision granted() {
    return new CheckedDecision(null);
  }

  static CheckedDecision refused(Refusal refusal) {
    return new CheckedDecision(refusal);
  }

  /** Returns what to answer; empty if the action is permitted. */
  public Optional<Refusal> refusal() {
    return Optional.ofNullable(refusal);
  }
}
