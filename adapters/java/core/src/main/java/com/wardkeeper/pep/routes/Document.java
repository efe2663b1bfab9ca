package com.wardkeeper.pep.routes;

import com.wardkeeper.pep.json.Json;
import com.wardkeeper.pep.json.MalformedJsonException;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/**
 * The document of a route file: JSON, or YAML where SnakeYAML is on the class path.
 *
 * @param root its value, as {@link Json} has it; what a route file does not have is an {@link Odd}
 * @param lines the lines of its places, as far as they are known
 */
record Document(Object root, Map<String, Integer> lines) {
  /** A value that a route file does not have, such as a date. */
  record Odd(String what) {}

  static Document of(byte[] data) {
    if (data.length > RouteTable.MAX_FILE) {
      throw RouteFileException.of("the file is larger than 1 MiB: remove what is not needed", 0);
    }
    String text = new String(data, StandardCharsets.UTF_8).strip();
    if (text.isEmpty()) {
      throw RouteFileException.of("the file is empty: begin it with version: 1", 0);
    }
    String problem = "it is YAML";
    if (text.startsWith("{")) {
      try {
        return new Document(Json.parse(data), Map.of());
      } catch (MalformedJsonException e) {
        problem = e.getMessage(); // it may be YAML all the same
      }
    }
    try {
      return Yaml.document(data);
    } catch (NoClassDefFoundError e) {
      throw RouteFileException.of(
          "this is not JSON, and YAML cannot be read here: add the dependency org.yaml:snakeyaml,"
              + " or write the file as JSON ("
              + problem
              + ")",
          0);
    }
  }
}
