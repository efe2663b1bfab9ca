package com.wardkeeper.pep;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A search. What is searched for is left out: the id of the subject or of the resource, or the
 * action.
 *
 * @param subject who asks
 * @param action what is to be done; null in a search for actions
 * @param resource to whom or what
 * @param context what else counts; may be empty
 * @param limit how many results a page has at most; 0 leaves it to the decision point
 * @param token continues a list: the token of the page before; empty for the first
 */
public record Search(
    Entity subject,
    Action action,
    Entity resource,
    Map<String, Object> context,
    int limit,
    String token) {
  /** Returns a search for the users to whom a user may do an action. */
  public static Search users(String subject, String action) {
    return new Search(Entity.user(subject), new Action(action), Entity.user(""), Map.of(), 0, "");
  }

  /** Returns the search with pages of at most so many results. */
  public Search limit(int most) {
    return new Search(subject, action, resource, context, most, token);
  }

  /** Returns the search for the page that a token names. */
  public Search after(String next) {
    return new Search(subject, action, resource, context, limit, next);
  }

  /** Returns the search with one member more in its context. */
  public Search with(String name, Object value) {
    Map<String, Object> more = new LinkedHashMap<>(context);
    more.put(name, value);
    return new Search(subject, action, resource, more, limit, token);
  }

  /** What a search looks for. */
  public enum Kind {
    /** Those who may do an action to a resource. */
    SUBJECT,
    /** Those to which a subject may do an action. */
    RESOURCE,
    /** What a subject may do to a resource. */
    ACTION
  }

  Map<String, Object> message(Kind kind) {
    Map<String, Object> message = new LinkedHashMap<>();
    if (subject != null) {
      message.put("subject", subject.message(kind != Kind.SUBJECT));
    }
    if (action != null && kind != Kind.ACTION) {
      message.put("action", action.message());
    }
    if (resource != null) {
      message.put("resource", resource.message(kind != Kind.RESOURCE));
    }
    if (!context.isEmpty()) {
      message.put("context", context);
    }
    Map<String, Object> page = new LinkedHashMap<>();
    if (limit > 0) {
      page.put("limit", limit);
    }
    if (!token.isEmpty()) {
      page.put("token", token);
    }
    message.put("page", page);
    return message;
  }
}
