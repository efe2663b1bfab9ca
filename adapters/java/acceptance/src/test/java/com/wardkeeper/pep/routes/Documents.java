package com.wardkeeper.pep.routes;

import com.wardkeeper.pep.json.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/** Reads YAML as the adapter reads route files. */
public final class Documents {
  private Documents() {}

  public static Map<String, Object> read(Path file) throws IOException {
    return Json.object(Document.of(Files.readAllBytes(file)).root());
  }
}
