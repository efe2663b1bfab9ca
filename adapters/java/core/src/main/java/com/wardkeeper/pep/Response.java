package com.wardkeeper.pep;

import com.wardkeeper.pep.json.Json;
import java.util.Map;

/**
 * The answer to one evaluation.
 *
 * @param decision whether it is allowed, if the application does what the context obliges it to
 * @param context as it was sent, guards included; empty if there was none
 */
public record Response(boolean decision, Map<String, Object> context) {
  /**
   * Returns the token of the guard for {@link Client#claim}. It is empty unless the question asked
   * for one ({@code include} in its context) and the answer allows a change.
   */
  public String guard() {
    Map<String, Object> guard = Json.object(context.get("guard"));
    return guard == null ? "" : Json.text(guard.get("token"));
  }
}
