package com.wardkeeper.pep;

import com.wardkeeper.pep.json.Json;
import com.wardkeeper.pep.routes.Route;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The result of checking a request.
 *
 * @param refusal what to answer; empty if the request may pass
 * @param subject the id of the person; empty if the route is public or the person is not known
 * @param outcome the outcome of the question; empty if none was asked
 * @param question what was asked
 * @param route the route that matches
 * @param trace what identifies the request
 */
public record CheckResult(
    Optional<Refusal> refusal,
    String subject,
    Optional<Outcome> outcome,
    Optional<Evaluation> question,
    Optional<Route> route,
    Trace trace) {
  /**
   * Whether the request may pass. Then {@link Outcome#done} is due once it has been answered
   * successfully.
   */
  public boolean passes() {
    return refusal.isEmpty();
  }

  /**
   * Returns a question of the same person, who stands where the request says, about another
   * resource: for {@link Enforcer#can}. That something was confirmed is not in it.
   */
  public Evaluation about(Entity resource) {
    Map<String, Object> context =
        new LinkedHashMap<>(question.map(Evaluation::context).orElse(Map.of()));
    context.keySet().removeIf(name -> !name.equals("current_location") && !name.equals("at_least"));
    return new Evaluation(Entity.user(subject), new Action(""), resource, context);
  }

  /** Returns a question about a user, as {@link #about(Entity)} does. */
  public Evaluation about(String user) {
    return about(Entity.user(user));
  }

  /**
   * Returns the fields that tell an application behind a proxy of a request that may pass. Every
   * field is there, even if it is empty, so that it replaces what the person has sent.
   */
  public Map<String, String> fields() {
    Object obligations =
        outcome
            .map(o -> o.obligations().stream().map(Obligation::message).toList())
            .orElse(List.of());
    Map<String, String> fields = new LinkedHashMap<>();
    fields.put("X-Wardkeeper-Subject", escaped(subject));
    fields.put(
        "X-Wardkeeper-Obligations",
        ascii(new String(Json.write(obligations), StandardCharsets.UTF_8)));
    fields.put("X-Request-ID", trace.requestId());
    return fields;
  }

  /** Percent-encodes what is not allowed in a segment of a path. */
  private static String escaped(String text) {
    StringBuilder escaped = new StringBuilder();
    for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
      char c = (char) (b & 0xff);
      boolean isWord = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
      if (isWord || "-_.~$&+:=@".indexOf(c) >= 0) {
        escaped.append(c);
      } else {
        escaped.append('%').append(Character.toUpperCase(Character.forDigit(c >> 4, 16)));
        escaped.append(Character.toUpperCase(Character.forDigit(c & 15, 16)));
      }
    }
    return escaped.toString();
  }

  /** Escapes what a header field cannot have. */
  private static String ascii(String json) {
    StringBuilder ascii = new StringBuilder(json.length());
    for (int i = 0; i < json.length(); i++) {
      char c = json.charAt(i);
      if (c <= '~') {
        ascii.append(c);
      } else {
        ascii.append("\\u%04x".formatted((int) c));
      }
    }
    return ascii.toString();
  }
}
