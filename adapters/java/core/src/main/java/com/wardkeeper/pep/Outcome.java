package com.wardkeeper.pep;

import com.wardkeeper.pep.json.Json;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * The result of a question.
 *
 * @param verdict whether the action may be done
 * @param reasons of a denial
 * @param advice what the person can do instead
 * @param obligations all obligations of the answer
 * @param confirm what the person has to confirm
 * @param context the context of the answer, as the decision point sent it
 * @param error for the log: why there is no answer, or what could not be done; it names nobody
 * @param due the obligations that can be done, with their handlers
 */
public record Outcome(
    Verdict verdict,
    List<Reason> reasons,
    List<Reason> advice,
    List<Obligation> obligations,
    List<Obligation> confirm,
    Map<String, Object> context,
    String error,
    List<Due> due) {
  private static final Reason UNSUPPORTED =
      new Reason(
          "obligation_unsupported",
          "The application cannot do what this would require of it.",
          "ALL-13");

  /**
   * An obligation and its handler.
   *
   * @param obligation what is to be done
   * @param handler what does it
   */
  public record Due(Obligation obligation, Handler handler) {
    private String run(Handler.Task task) {
      try {
        task.run(obligation);
        return "";
      } catch (Exception e) { // its text may name persons
        if (e instanceof InterruptedException) {
          Thread.currentThread().interrupt();
        }
        return "the obligation \"%.200s\": its handler threw %s"
            .formatted(obligation.id(), e.getClass().getSimpleName());
      }
    }
  }

  static Outcome unavailable(String error) {
    return new Outcome(
        Verdict.UNAVAILABLE,
        List.of(),
        List.of(),
        List.of(),
        List.of(),
        Map.of(),
        error,
        List.of());
  }

  /** Whether the action may be done. Call {@link #done} once it has succeeded. */
  public boolean permitted() {
    return verdict == Verdict.PERMITTED;
  }

  /** Whether a page offers the action: it may be done, at most after a confirmation. */
  public boolean offered() {
    return permitted() || verdict == Verdict.CONFIRMATION_REQUIRED;
  }

  /** Whether anything is due once the action has succeeded. */
  public boolean isDueAfter() {
    return permitted() && due.stream().anyMatch(task -> task.handler().isDueAfter());
  }

  /** Returns the causes of the warnings that the application shows with the result. */
  public List<String> warnings() {
    if (!permitted()) {
      return List.of();
    }
    return obligations.stream()
        .filter(obligation -> obligation.kind().equals(Handler.WARN))
        .map(obligation -> Json.text(obligation.properties().get("cause")))
        .toList();
  }

  /**
   * Returns the response that the person gets instead of the action.
   *
   * @throws IllegalStateException if the action is permitted
   */
  public Refusal refusal() {
    return switch (verdict) {
      case PERMITTED -> throw new IllegalStateException("what is permitted is not refused");
      case UNAVAILABLE -> Refusal.unavailable();
      case CONFIRMATION_REQUIRED -> Refusal.confirmationRequired(confirm, advice);
      case DENIED -> Refusal.denied(reasons, advice);
    };
  }

  /** Returns the outcome, or throws {@link RefusedException} unless the action is permitted. */
  public Outcome orRefuse() {
    if (!permitted()) {
      throw new RefusedException(refusal());
    }
    return this;
  }

  /**
   * Does the obligations that follow a permitted action, all of them. It returns what has failed,
   * for the log.
   */
  public List<String> done() {
    return permitted() ? run(false) : List.of();
  }

  private List<String> run(boolean before) {
    List<String> failed = new ArrayList<>();
    for (Due task : due) {
      String problem = task.run(before ? task.handler().before() : task.handler().after());
      if (!problem.isEmpty()) {
        failed.add(problem);
      }
    }
    return failed;
  }

  /**
   * Does what is due before a permitted action, and all of a denial. Without an answer nothing has
   * been decided.
   */
  Outcome begin() {
    if (verdict == Verdict.PERMITTED) {
      List<String> failed = run(true);
      return failed.isEmpty() ? this : unsupported(String.join("; ", failed));
    }
    if (verdict == Verdict.DENIED) {
      List<String> failed = new ArrayList<>(run(true));
      failed.addAll(run(false));
      if (!failed.isEmpty()) {
        failed.add(0, error);
        return with(verdict, reasons, advice, confirm, String.join("; ", failed));
      }
    }
    return this;
  }

  /**
   * Returns the denial of an outcome whose obligations cannot be done after all.
   *
   * @param problem for the log; it names nobody
   */
  public Outcome unsupported(String problem) {
    return with(Verdict.DENIED, List.of(UNSUPPORTED), List.of(), List.of(), problem);
  }

  Outcome with(
      Verdict other, List<Reason> why, List<Reason> instead, List<Obligation> ask, String problem) {
    return new Outcome(other, why, instead, obligations, ask, context, problem, due);
  }
}
