package com.wardkeeper.pep;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What the subject asks to do.
 *
 * @param name the name, such as {@code user.view}
 * @param properties what is said of it; null if nothing is
 */
public record Action(String name, Map<String, Object> properties) {
  /** Returns an action without properties. */
  public Action(String name) {
    this(name, null);
  }

  Map<String, Object> message() {
    Map<String, Object> message = new LinkedHashMap<>();
    message.put("name", name);
    if (properties != null) {
      message.put("properties", properties);
    }
    return message;
  }
}
