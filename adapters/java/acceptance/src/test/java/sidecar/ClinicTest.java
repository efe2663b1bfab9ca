package sidecar;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.wardkeeper.pep.json.Json;
import com.wardkeeper.pep.routes.Documents;
import frameworks.Exchange;
import front.FrontApplication;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.web.servlet.context.ServletWebServerApplicationContext;
import org.springframework.context.ConfigurableApplicationContext;

/**
 * The script of the demonstration application (testdata/clinic), through the front of the example.
 */
class ClinicTest {
  private static final Path CLINIC = Sidecar.ROOT.resolve("testdata/clinic");

  @TempDir private Path folder;
  private final Tokens tokens = new Tokens();
  private int front;
  private int upstream;

  @Test
  void theScript() throws Exception {
    Path keys = folder.resolve("jwks.json");
    Files.write(keys, tokens.keySet());
    Path routes = folder.resolve("routes.yaml");
    String file = Files.readString(CLINIC.resolve("routes.yaml"));
    Files.writeString(routes, file.replace("keys_file: jwks.json", "keys_file: " + keys));
    Process clinic =
        new ProcessBuilder(
                Sidecar.BIN.resolve("serve").toString(),
                "--addr",
                "127.0.0.1:0",
                "--directory",
                Sidecar.SAMPLE.toString())
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    try (Sidecar sidecar = Sidecar.start()) {
      BufferedReader said = clinic.inputReader();
      String line = said.readLine();
      while (!line.startsWith("listening on ")) {
        line = said.readLine();
      }
      upstream = Integer.parseInt(line.substring(line.lastIndexOf(':') + 1).strip());
      try (ConfigurableApplicationContext application =
          SpringApplication.run(
              FrontApplication.class,
              "--upstream=http://127.0.0.1:" + upstream,
              "--routes=" + routes,
              "--wardkeeper.url=" + sidecar.url(),
              "--wardkeeper.timeout=20s",
              "--server.port=0")) {
        front = ((ServletWebServerApplicationContext) application).getWebServer().getPort();
        play(sidecar);
      }
    } finally {
      clinic.destroy();
      clinic.waitFor();
    }
  }

  private void play(Sidecar sidecar) throws IOException {
    List<Object> cases = Json.array(Documents.read(CLINIC.resolve("script.yaml")).get("cases"));
    assertTrue(cases.size() > 40);
    for (Object step : cases) {
      Map<String, Object> script = Json.object(step);
      if (Boolean.TRUE.equals(script.get("stopped"))) {
        sidecar.close();
      }
      Exchange.get(upstream, "/journal"); // without earlier entries
      Exchange answer = send(script);
      String name = Json.text(script.get("name"));
      check(script, name, answer);
      String signedIn = Json.text(script.get("as")).split("@", -1)[0];
      String person = (String) script.getOrDefault("person", signedIn);
      List<Object> entries = new ArrayList<>();
      if (passes(script)) {
        entries.add(script.get("request") + " by " + person);
        assertEquals(person, answer.field("X-Clinic-Person"), name);
      }
      entries.addAll(script.get("did") == null ? List.of() : Json.array(script.get("did")));
      assertEquals(entries, journal(), name);
    }
  }

  private List<Object> journal() throws IOException {
    byte[] body = Exchange.get(upstream, "/journal").body().getBytes(StandardCharsets.UTF_8);
    try {
      return Json.array(Json.parse(body));
    } catch (com.wardkeeper.pep.json.MalformedJsonException e) {
      throw new IOException(e);
    }
  }

  private Exchange send(Map<String, Object> script) throws IOException {
    List<String> fields = new ArrayList<>();
    String as = Json.text(script.get("as"));
    int at = as.indexOf('@');
    if (at >= 0) {
      String token = tokens.sign(as.substring(0, at), Json.text(script.get("token")), Map.of());
      fields.add("Authorization: Bearer " + token);
      fields.add("X-Location: " + as.substring(at + 1));
    }
    List<Object> more =
        script.get("headers") == null ? List.of() : Json.array(script.get("headers"));
    more.forEach(field -> fields.add(String.valueOf(field)));
    String payload = Json.text(script.get("body"));
    if (Boolean.TRUE.equals(script.get("chunked"))) {
      fields.add("Transfer-Encoding: chunked");
      payload = Integer.toHexString(payload.length()) + "\r\n" + payload + "\r\n0\r\n\r\n";
    }
    return Exchange.of(front, Json.text(script.get("request")), fields, payload);
  }

  private static boolean passes(Map<String, Object> script) {
    return (Boolean) script.getOrDefault("passes", (Long) script.get("status") < 400);
  }

  private static void check(Map<String, Object> script, String name, Exchange answer) {
    assertEquals(script.get("status"), (long) answer.status(), name + answer.body());
    assertTrue(answer.body().contains(Json.text(script.get("contains"))), name + answer.body());
    assertFalse(answer.head().toLowerCase(Locale.ROOT).contains("\r\nx-wardkeeper-"), name);
    boolean isPage = Boolean.TRUE.equals(script.get("page"));
    String code = Json.text(script.get("code"));
    if (isPage) {
      assertTrue(
          answer.field("Content-Type").toLowerCase(Locale.ROOT).startsWith("text/html;"), name);
    }
    if (passes(script) || (code.isEmpty() && !isPage)) {
      return;
    }
    if (answer.status() == 400 && answer.field("X-Request-ID") == null) {
      return; // Tomcat has refused the request by itself
    }
    assertEquals("no-store", answer.field("Cache-Control"), name);
    assertEquals(answer.status() == 503, answer.field("Retry-After") != null, name);
    assertEquals(answer.status() == 401, answer.field("WWW-Authenticate") != null, name);
    if (isPage || code.isEmpty()) {
      return;
    }
    assertEquals("application/problem+json", answer.field("Content-Type"), name);
    assertTrue(answer.body().contains("\"code\":\"" + code + "\""), name + answer.body());
    for (String member : List.of("reason", "rule", "advice")) {
      if (script.containsKey(member)) {
        assertTrue(answer.body().contains("\"" + script.get(member) + "\""), name + answer.body());
      }
    }
  }
}
