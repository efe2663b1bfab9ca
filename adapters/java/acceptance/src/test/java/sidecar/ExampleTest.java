package sidecar;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import frameworks.Exchange;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.web.servlet.context.ServletWebServerApplicationContext;
import org.springframework.context.ConfigurableApplicationContext;
import users.UsersApplication;

/** The pages of the example, with a sidecar. */
class ExampleTest {
  private static Sidecar sidecar;
  private static ConfigurableApplicationContext application;
  private static int port;

  @BeforeAll
  static void start() {
    sidecar = Sidecar.start();
    application =
        SpringApplication.run(
            UsersApplication.class,
            "--wardkeeper.url=" + sidecar.url(),
            "--wardkeeper.timeout=30s",
            "--server.port=0");
    port = ((ServletWebServerApplicationContext) application).getWebServer().getPort();
  }

  @AfterAll
  static void stop() {
    application.close();
    sidecar.close();
  }

  private static Exchange send(String request, String password, String... more) throws IOException {
    byte[] credentials = ("alice:" + password).getBytes(StandardCharsets.UTF_8);
    List<String> fields = new ArrayList<>(List.of(more));
    fields.add("Authorization: Basic " + Base64.getEncoder().encodeToString(credentials));
    return Exchange.of(port, request, fields, "");
  }

  private static String found(String pattern, String text) {
    Matcher matcher = Pattern.compile(pattern).matcher(text);
    assertTrue(matcher.find(), text);
    return matcher.group(1);
  }

  @Test
  void pages() throws IOException {
    assertEquals(401, Exchange.get(port, "/users").status());
    assertEquals(401, send("GET /users", "wrong").status());
    String first = send("GET /users", "secret").body();
    assertEquals(5, first.split("<li>", -1).length - 1);
    String token = found("\\?token=([^\"]+)\"", first);
    assertTrue(send("GET /users?token=" + token, "secret").body().contains("<li>"));
    String shown = send("GET /users/jane", "secret").body();
    assertTrue(shown.contains("/user.edit\">user.edit"), shown);
    assertTrue(shown.contains("/user.reactivate\" disabled>"), shown);
    assertEquals(403, send("GET /users/lucy", "secret").status());
  }

  @Test
  @SuppressWarnings("unchecked")
  void whatObliges() throws IOException {
    List<String> outbox = (List<String>) application.getBean("outbox");
    Exchange shown = send("GET /users/jane", "secret");
    String cookie = "Cookie: " + found("(JSESSIONID=[0-9A-F]+)", shown.head());
    String csrf = "X-CSRF-TOKEN: " + found("value=\"([^\"]+)\"", shown.body());
    String request = "POST /users/jane/user.deactivate";
    Exchange refused = send(request, "secret", cookie, csrf);
    assertEquals(403, refused.status());
    assertTrue(refused.body().contains("<li>multiple locations</li>"), refused.body());
    assertEquals(List.of(), outbox);
    Exchange done = send(request + "?confirmed=true", "secret", cookie, csrf);
    assertEquals(200, done.status(), done.body());
    assertEquals(List.of("end the sessions of jane"), outbox);
  }
}
