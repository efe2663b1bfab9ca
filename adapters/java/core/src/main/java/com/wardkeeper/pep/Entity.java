package com.wardkeeper.pep;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A subject or a resource.
 *
 * @param type the type, such as {@code user}
 * @param id the id; empty for what a search looks for
 * @param properties what is said of it; null if nothing is
 */
public record Entity(String type, String id, Map<String, Object> properties) {
  /** Returns an entity without properties. */
  public Entity(String type, String id) {
    this(type, id, null);
  }

  /** Returns the user with an id. */
  public static Entity user(String id) {
    return new Entity("user", id);
  }

  /** Returns the entity with one property more. */
  public Entity with(String name, Object value) {
    Map<String, Object> more = new LinkedHashMap<>(properties == null ? Map.of() : properties);
    more.put(name, value);
    return new Entity(type, id, more);
  }

  Map<String, Object> message(boolean withId) {
    Map<String, Object> message = new LinkedHashMap<>();
    message.put("type", type);
    if (withId) {
      message.put("id", id);
    }
    if (properties != null) {
      message.put("properties", properties);
    }
    return message;
  }
}
