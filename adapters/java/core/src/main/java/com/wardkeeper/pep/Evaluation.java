package com.wardkeeper.pep;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * One question: may the subject do the action to the resource, in the context.
 *
 * @param subject who asks
 * @param action what is to be done
 * @param resource to whom or what
 * @param context what else counts, such as {@code current_location}; may be empty
 */
public record Evaluation(
    Entity subject, Action action, Entity resource, Map<String, Object> context) {
  /** Returns the question whether a user may do an action to another user. */
  public static Evaluation of(String subject, String action, String resource) {
    return new Evaluation(
        Entity.user(subject), new Action(action), Entity.user(resource), Map.of());
  }

  /** Returns the same question about another action. */
  public Evaluation of(Action other) {
    return new Evaluation(subject, other, resource, context);
  }

  /** Returns the same question at a location, which is a property of the resource. */
  public Evaluation at(String location) {
    return new Evaluation(subject, action, resource.with("location", location), context);
  }

  /** Returns the same question with one member more in its context. */
  public Evaluation with(String name, Object value) {
    Map<String, Object> more = new LinkedHashMap<>(context);
    more.put(name, value);
    return new Evaluation(subject, action, resource, more);
  }

  /** Returns the question as it is sent. */
  public Map<String, Object> message() {
    Map<String, Object> message = new LinkedHashMap<>();
    message.put("subject", subject.message(true));
    message.put("action", action.message());
    message.put("resource", resource.message(true));
    if (!context.isEmpty()) {
      message.put("context", context);
    }
    return message;
  }
}
