package com.wardkeeper.pep;

import com.wardkeeper.pep.json.Json;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A task that the application has to do together with an action.
 *
 * @param id names the rule that obliges
 * @param type what has to be done, such as {@code notification}
 * @param properties how; may be empty
 */
public record Obligation(String id, String type, Map<String, Object> properties) {
  /**
   * Returns the key of its handler: the type; of a custom obligation also the action, as in {@code
   * custom/confirm}.
   */
  public String kind() {
    return type.equals("custom") ? "custom/" + Json.text(properties.get("action")) : type;
  }

  /** Returns the obligation as JSON has it. */
  public Map<String, Object> message() {
    Map<String, Object> message = new LinkedHashMap<>();
    message.put("id", id);
    message.put("type", type);
    message.put("properties", properties);
    return message;
  }
}
