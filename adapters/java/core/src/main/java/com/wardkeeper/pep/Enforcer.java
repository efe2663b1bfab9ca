package com.wardkeeper.pep;

import com.wardkeeper.pep.json.Json;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Enforces decisions: it asks, accepts only a well-formed allow, and does what obliges (PEP-3 to
 * PEP-6). Several threads can use it at the same time.
 */
public final class Enforcer {
  private final Decider decider;
  private final Map<String, Handler> handlers;
  private final List<String> supported;

  /**
   * Registers handlers.
   *
   * @param decider answers questions, such as a {@link Client}
   * @param handlers what the application can do, by the type of the obligation; of {@code custom}
   *     also the action, as in {@code custom/confirm}. An allow with any other obligation is a
   *     denial
   */
  public Enforcer(Decider decider, Map<String, Handler> handlers) {
    this.decider = decider;
    this.handlers = Map.copyOf(handlers);
    TreeSet<String> types = new TreeSet<>();
    for (String kind : new TreeMap<>(handlers).keySet()) {
      int slash = kind.indexOf('/');
      String type = slash < 0 ? kind : kind.substring(0, slash);
      boolean isKind =
          type.equals("custom")
              ? slash > 0 && slash < kind.length() - 1
              : slash < 0 && !kind.isEmpty();
      if (!isKind) {
        throw new IllegalArgumentException(
            "no obligation is of the kind \"" + kind + "\": use the type, or \"custom/ACTION\"");
      }
      types.add(type);
    }
    this.supported = List.copyOf(types);
  }

  /** Returns the types of the registered handlers, which every question has (PEP-3). */
  public List<String> supportedObligations() {
    return supported;
  }

  /**
   * Asks one question and does the obligations that are due before the action. The action may be
   * done only if the outcome is permitted; call {@link Outcome#done} once it has succeeded.
   */
  public Outcome enforce(Evaluation question) {
    return ask(List.of(question)).get(0).begin();
  }

  /** Asks questions in one batch, in order, and does no obligations: for what a page offers. */
  public List<Outcome> ask(List<Evaluation> questions) {
    if (questions.isEmpty()) {
      return List.of();
    }
    try {
      List<Response> responses =
          decider.decide(
              questions.stream().map(q -> q.with("supported_obligations", supported)).toList());
      if (responses.size() != questions.size()) {
        throw new NoAnswerException(
            "the decision point answered "
                + responses.size()
                + " of "
                + questions.size()
                + " questions");
      }
      return responses.stream().map(this::outcome).toList();
    } catch (NoAnswerException e) {
      return Collections.nCopies(questions.size(), Outcome.unavailable(e.getMessage()));
    } catch (RuntimeException e) { // its text may name persons
      String error = "the decider threw " + e.getClass().getSimpleName();
      return Collections.nCopies(questions.size(), Outcome.unavailable(error));
    }
  }

  /**
   * Tells which actions a page offers: those that the question, with its action replaced, permits.
   * It is one request. That something was confirmed counts for one question alone, so it is not
   * asked with.
   */
  public Map<String, Boolean> can(Collection<String> actions, Evaluation about) {
    Map<String, Object> context = new LinkedHashMap<>(about.context());
    context.remove("confirmed");
    List<String> names = List.copyOf(actions);
    List<Outcome> outcomes =
        ask(
            names.stream()
                .map(
                    name ->
                        new Evaluation(
                            about.subject(), new Action(name), about.resource(), context))
                .toList());
    Map<String, Boolean> offered = new LinkedHashMap<>();
    for (int i = 0; i < names.size(); i++) {
      offered.put(names.get(i), outcomes.get(i).offered());
    }
    return offered;
  }

  /** Evaluates a response in view of the registered handlers. */
  private Outcome outcome(Response response) {
    List<Obligation> obligations;
    try {
      obligations = obligations(response);
    } catch (NoAnswerException e) {
      return Outcome.unavailable(e.getMessage());
    }
    List<Outcome.Due> due = new ArrayList<>();
    List<Obligation> confirm = new ArrayList<>();
    List<String> unhandled = new ArrayList<>();
    for (Obligation obligation : obligations) {
      Handler handler = handlers.get(obligation.kind());
      if (handler == null || !can(handler, obligation)) {
        unhandled.add(
            "the application cannot do the obligation \"%.200s\"".formatted(obligation.id()));
      } else if (obligation.kind().equals(Handler.CONFIRM)) {
        confirm.add(obligation);
      } else {
        due.add(new Outcome.Due(obligation, handler));
      }
    }
    Map<String, Object> context = response.context();
    List<Reason> reasons = Reason.of(context.get("reasons"));
    if (reasons.isEmpty()) {
      reasons = Reason.of(context.get("reason_user"));
    }
    List<Reason> advice = Reason.of(context.get("advice"));
    Outcome denied =
        new Outcome(
            Verdict.DENIED, reasons, advice, obligations, List.of(), context, "", List.copyOf(due));
    if (!response.decision()) {
      return denied;
    }
    if (!unhandled.isEmpty()) {
      return denied.unsupported(String.join("; ", unhandled));
    }
    if (!confirm.isEmpty()) {
      return denied.with(
          Verdict.CONFIRMATION_REQUIRED, List.of(), advice, List.copyOf(confirm), "");
    }
    return denied.with(Verdict.PERMITTED, List.of(), advice, List.of(), "");
  }

  /** Tells whether a handler can do an obligation. One that throws does not know what to do. */
  private static boolean can(Handler handler, Obligation obligation) {
    try {
      return handler.can().test(obligation);
    } catch (RuntimeException e) {
      return false;
    }
  }

  /**
   * Reads the obligations. A decision point that could not decide, or that sends malformed ones,
   * has not answered.
   */
  private static List<Obligation> obligations(Response response) {
    Object problem = response.context().get("error");
    if (problem != null) {
      // The message is not told: it may repeat the question.
      Map<String, Object> members = Json.object(problem);
      boolean hasStatus = members != null && members.get("status") instanceof Long;
      throw new NoAnswerException(
          "the decision point could not decide"
              + (hasStatus ? ": status " + members.get("status") : ""));
    }
    Object value = response.context().get("obligations");
    if (value == null) {
      return List.of();
    }
    List<Object> entries = Json.array(value);
    if (entries == null) {
      throw new NoAnswerException("the decision point sent obligations that are not a list");
    }
    List<Obligation> obligations = new ArrayList<>(entries.size());
    for (Object entry : entries) {
      obligations.add(obligation(entry, obligations.size()));
    }
    return List.copyOf(obligations);
  }

  private static Obligation obligation(Object entry, int index) {
    Map<String, Object> members = Json.object(entry);
    if (members != null) {
      String id = Json.text(members.get("id"));
      String type = Json.text(members.get("type"));
      Object properties = members.get("properties");
      Map<String, Object> how = properties == null ? Map.of() : Json.object(properties);
      if (!id.isEmpty() && !type.isEmpty() && how != null) {
        return new Obligation(id, type, how);
      }
    }
    throw new NoAnswerException("the decision point sent a malformed obligation at index " + index);
  }
}
