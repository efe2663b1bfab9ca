package com.wardkeeper.pep;

import com.wardkeeper.pep.json.Json;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A reason of a denial, or a piece of advice.
 *
 * @param code for programs; may be empty
 * @param message a sentence for the person; may be empty
 * @param rule the rule of the policy; may be empty
 * @param more the other members, such as {@code field} or {@code locations}
 */
public record Reason(String code, String message, String rule, Map<String, Object> more) {
  /** Returns a reason without other members. */
  public Reason(String code, String message, String rule) {
    this(code, message, rule, Map.of());
  }

  Map<String, Object> members() {
    Map<String, Object> members = new LinkedHashMap<>();
    put(members, "code", code);
    put(members, "message", message);
    put(members, "rule", rule);
    members.putAll(more);
    return members;
  }

  private static void put(Map<String, Object> members, String name, String text) {
    if (!text.isEmpty()) {
      members.put(name, text);
    }
  }

  /**
   * Reads reasons that are objects or texts, or AuthZEN's {@code reason_user}: a text by a status
   * or a language. What is not understood is left out: a denial needs no reason.
   */
  static List<Reason> of(Object value) {
    List<Reason> reasons = new ArrayList<>();
    Map<String, Object> texts = Json.object(value);
    if (texts != null) {
      for (Object text : new TreeMap<>(texts).values()) {
        if (text instanceof String message) {
          return List.of(new Reason("", message, ""));
        }
      }
    }
    List<Object> elements = Json.array(value);
    for (Object element : elements == null ? List.of() : elements) {
      Map<String, Object> members = Json.object(element);
      if (element instanceof String message) {
        reasons.add(new Reason("", message, ""));
      } else if (members != null) {
        add(reasons, members);
      }
    }
    return List.copyOf(reasons);
  }

  private static void add(List<Reason> reasons, Map<String, Object> members) {
    String code = Json.text(members.get("code"));
    String message = Json.text(members.get("message"));
    String rule = Json.text(members.get("rule"));
    if (code.isEmpty() && message.isEmpty() && rule.isEmpty()) {
      return;
    }
    Map<String, Object> more = new LinkedHashMap<>(members);
    more.keySet().removeAll(List.of("code", "message", "rule"));
    reasons.add(new Reason(code, message, rule, more));
  }
}
