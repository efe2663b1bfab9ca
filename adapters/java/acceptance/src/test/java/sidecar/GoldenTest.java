package sidecar;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.wardkeeper.pep.Action;
import com.wardkeeper.pep.Client;
import com.wardkeeper.pep.Enforcer;
import com.wardkeeper.pep.Entity;
import com.wardkeeper.pep.Evaluation;
import com.wardkeeper.pep.Handler;
import com.wardkeeper.pep.Outcome;
import com.wardkeeper.pep.Response;
import com.wardkeeper.pep.Verdict;
import com.wardkeeper.pep.json.Json;
import com.wardkeeper.pep.routes.Documents;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The golden decisions, asked of a sidecar: each question alone, and all of a file in one batch.
 */
class GoldenTest {
  private static final Map<String, Handler> HANDLERS =
      Map.of(
          "notification",
          Handler.shown(),
          "session_termination",
          Handler.shown(),
          Handler.CONFIRM,
          Handler.shown(),
          Handler.WARN,
          Handler.shown());

  @TempDir private Path folder;

  private static Entity entity(Object value) {
    Map<String, Object> members = Json.object(value);
    return new Entity(
        Json.text(members.get("type")),
        Json.text(members.get("id")),
        Json.object(members.get("properties")));
  }

  private static Evaluation question(Map<String, Object> golden) {
    Map<String, Object> message = Json.object(golden.get("question"));
    Map<String, Object> action = Json.object(message.get("action"));
    Map<String, Object> context = Json.object(message.get("context"));
    return new Evaluation(
        entity(message.get("subject")),
        new Action(Json.text(action.get("name")), Json.object(action.get("properties"))),
        entity(message.get("resource")),
        context == null ? Map.of() : context);
  }

  @Test
  void goldenDecisions() throws IOException {
    List<Path> files;
    try (Stream<Path> all = Files.walk(Sidecar.ROOT.resolve("testdata/decisions"))) {
      files = all.filter(file -> file.toString().endsWith(".yaml")).sorted().toList();
    }
    Map<Path, Sidecar> sidecars = new TreeMap<>();
    int asked = 0;
    try {
      for (Path file : files) {
        Map<String, Object> document = Documents.read(file);
        Path directory = Sidecar.SAMPLE;
        if (document.containsKey("facts")) {
          directory = folder.resolve(file.getFileName() + ".json");
          Files.write(directory, Json.write(document.get("facts")));
        }
        asked += askAll(sidecars.computeIfAbsent(directory, Sidecar::start), document);
      }
    } finally {
      sidecars.values().forEach(Sidecar::close);
    }
    assertTrue(asked > 600, "only " + asked + " questions");
  }

  private static int askAll(Sidecar sidecar, Map<String, Object> document) {
    List<Map<String, Object>> cases = new ArrayList<>();
    Json.array(document.get("cases")).forEach(golden -> cases.add(Json.object(golden)));
    List<Evaluation> questions = cases.stream().map(GoldenTest::question).toList();
    try (Client client = Client.builder(sidecar.url()).timeout(Duration.ofMinutes(1)).build()) {
      List<Response> together = client.decide(questions);
      List<Outcome> outcomes = new Enforcer(client, HANDLERS).ask(questions);
      for (int i = 0; i < cases.size(); i++) {
        check(cases.get(i), client.evaluate(questions.get(i)));
        check(cases.get(i), together.get(i));
        if (!questions.get(i).context().containsKey("supported_obligations")) {
          check(cases.get(i), outcomes.get(i));
        }
      }
    }
    return cases.size();
  }

  private static void check(Map<String, Object> golden, Response answer) {
    Map<String, Object> expected = new TreeMap<>();
    for (String name : List.of("reasons", "obligations", "advice")) {
      if (golden.get(name) != null) {
        expected.put(name, golden.get(name));
      }
    }
    String name = Json.text(golden.get("name"));
    assertEquals(golden.get("decision"), answer.decision(), name);
    assertEquals(text(expected), text(answer.context()), name);
  }

  /** Returns a text of a value that does not depend on the order of members. */
  private static String text(Object value) {
    if (value instanceof Map<?, ?> members) {
      Map<String, String> sorted = new TreeMap<>();
      members.forEach((name, member) -> sorted.put(String.valueOf(name), text(member)));
      return sorted.toString();
    }
    if (value instanceof List<?> elements) {
      return elements.stream().map(GoldenTest::text).toList().toString();
    }
    return new String(Json.write(value), StandardCharsets.UTF_8);
  }

  private static void check(Map<String, Object> golden, Outcome outcome) {
    boolean confirm =
        outcome.obligations().stream().anyMatch(o -> o.kind().equals(Handler.CONFIRM));
    Verdict expected = Verdict.DENIED;
    if (Boolean.TRUE.equals(golden.get("decision"))) {
      expected = confirm ? Verdict.CONFIRMATION_REQUIRED : Verdict.PERMITTED;
    }
    assertEquals(expected, outcome.verdict(), golden.get("name") + outcome.error());
  }
}
