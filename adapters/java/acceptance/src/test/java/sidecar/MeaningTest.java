package sidecar;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.wardkeeper.pep.json.Json;
import com.wardkeeper.pep.json.MalformedJsonException;
import com.wardkeeper.pep.routes.Header;
import com.wardkeeper.pep.routes.HttpRequest;
import com.wardkeeper.pep.routes.Resolution;
import com.wardkeeper.pep.routes.RouteException;
import com.wardkeeper.pep.routes.RouteTable;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Requests mean to this adapter what they mean to the Go adapters. */
class MeaningTest {
  private static final String FILE =
      """
      version: 1
      subject:
        jwt: {keys_file: k, issuer: i, audience: a, algorithms: [ES256]}
      supported_obligations: [custom/confirm, notification]
      routes:
        - {path: "/open/{rest...}", methods: [GET], public: true}
        - {path: /users, methods: [GET], action: user.list, resource: {type: location, id: {query: location}}}
        - path: /users/{id}
          methods: [GET, DELETE]
          action: user.view
          resource: {id: {path: id}}
          confirmed: {header: X-Confirmed, optional: true}
        - {path: /sum, methods: [GET], action: user.view, resource: {id: {query: a_b}}}
      """;

  private static final List<String> TARGETS =
      List.of(
          "/open/x",
          "/open/../users/jane",
          "/open/.",
          "/open/%2e%2e/users",
          "/users/a%2Fb",
          "/open/%252e",
          "//users/jane",
          "/users//jane",
          "/open/..\\x",
          "/users/a;x=1",
          "/users/a%3Bx",
          "/users/a%00",
          "/users/a%0d%0aX:y",
          "/open/%c0%ae",
          "/users/%ff",
          "/users/a%zz",
          "/users/a%2",
          "/users/%20a",
          "/users/a.",
          "/users/a%2e",
          "/users/%E2%80%8Ba",
          "/users/a%E2%80%8B",
          "/open/%EF%BC%8Fx",
          "/open/%E2%80%A8x",
          "/open/%C2%85",
          "/users/a|b",
          "/users/a\"b",
          "/users/a^b",
          "/users/{a}",
          "/users/a[0]",
          "/users/a:b@c",
          "/users/a+b",
          "/users/a!$&'()*,=b",
          "/users/j%61ne",
          "/users/%C3%A9",
          "/users/a%C3%A9",
          "/users/%C2%A0a",
          "/users/a%C2%A0",
          "/users/a%E3%80%80",
          "/users/%E1%A0%8Ea",
          "/users/%F3%A0%80%81a",
          "/users/%F0%9F%84%80",
          "/users/%e2%92%88",
          "/users/%CD%BE",
          "/users?location=ghi",
          "/users?location=ghi&location=x",
          "/users?location=ghi&Location=x",
          "/users?location=ghi&l%6fcation=x",
          "/users?location=ghi&location[]=x",
          "/users?location=ghi&[location]=x",
          "/users?location[x]=y",
          "/users?location=",
          "/users?location",
          "/users?location=a+b",
          "/users?location=a%20b",
          "/users?location=%20a",
          "/users?x=1;location=ghi",
          "/users?location=%zz",
          "/users?location=%ff",
          "/users?location=%00",
          "/users?+location=ghi",
          "/users?location+=ghi",
          "/users?%20location=x&location=y",
          "/users?LOCATION=x",
          "/users?loca%C5%A7ion=x&location=y",
          "/users?_method=DELETE&location=x",
          "/users?_Method=x",
          "/open/x?_method",
          "/open/x?_method[]=1",
          "/open/x?a=1;_method=x",
          "/open/x?_methodx=1",
          "/open/x?%5Fmethod=x",
          "/open/x?.method=x",
          "/open/x?%zz&_method=1",
          "/sum?a_b=1",
          "/sum?a.b=1",
          "/sum?a_b=1&a+b=2",
          "/sum?a_b=1&a[b=2",
          "/sum?a_b=1&a.b=2",
          "/sum?a_b=1&aXb=2",
          "/sum?a_b=%E2%80%8Bx",
          "/sum?a_b=%C2%A0x",
          "/open",
          "/open/",
          "/",
          "/users/",
          "/users/...",
          "/users/..a",
          "/users/.a",
          "/users/a.b",
          "/users/~a",
          "/users/a%25b",
          "/open/a//b",
          "/open/a/",
          "/open/x#y",
          "/" + "x".repeat(8192),
          "/users/" + "x".repeat(1024),
          "/users/" + "x".repeat(1025));

  private static final List<Header> HEADERS =
      List.of(
          new Header("X-HTTP-Method-Override", "GET"),
          new Header("X_Http_Method", "GET"),
          new Header("X-Original-URL", "/"),
          new Header("X-Wardkeeper-Subject", "bob"),
          new Header("X.Wardkeeper.Any", "1"),
          new Header("Connection", "close, X-Foo"),
          new Header("Connection", "close , Keep-Alive"),
          new Header("Trailer", "X"),
          new Header("Upgrade", "websocket, H2C"),
          new Header("Content_Length", "1"),
          new Header("X_Remote_User", "bob"),
          new Header("X-Confirmed", "true"),
          new Header("X-Confirmed", "1"),
          new Header("X-Confirmed", "true,true"),
          new Header("X-Confirmed", "TRUE"),
          new Header("X_Confirmed", "true"));

  @TempDir private Path folder;

  @Test
  void requestsMeanTheSame() throws Exception {
    Path file = folder.resolve("routes.yaml");
    Files.writeString(file, FILE);
    RouteTable table = RouteTable.load(file);
    List<HttpRequest> requests = new ArrayList<>();
    TARGETS.forEach(target -> requests.add(request("GET", target, List.of())));
    HEADERS.forEach(header -> requests.add(request("GET", "/users/jane", List.of(header))));
    for (String method :
        List.of(
            "get",
            "HEAD",
            "OPTIONS",
            "TRACE",
            "CONNECT",
            "DELETE",
            "M-SEARCH",
            "G@T",
            "X".repeat(33))) {
      requests.add(request(method, "/users/jane", List.of()));
    }
    assertTrue(requests.size() > 120);
    for (HttpRequest request : requests) {
      String what = request.method() + " " + request.target() + " " + request.headers();
      assertEquals(explained(file, request), meaning(table, request), what);
    }
  }

  private static HttpRequest request(String method, String target, List<Header> headers) {
    List<Header> all = new ArrayList<>(headers);
    all.add(new Header("Authorization", "Bearer t"));
    return new HttpRequest(method, target, List.of("localhost"), all, null, null, () -> false);
  }

  private static Object meaning(RouteTable table, HttpRequest request) {
    try {
      Resolution found = table.resolve(request, token -> Map.of("sub", "alice"), route -> {});
      if (found.question() == null) {
        return found.route() == null ? "DENIED" : "PUBLIC";
      }
      Map<String, Object> message =
          new LinkedHashMap<>(
              found
                  .question()
                  .with("supported_obligations", List.of("custom", "notification"))
                  .message());
      return Map.copyOf(message);
    } catch (RouteException e) {
      return "REFUSED";
    }
  }

  /** Asks the Go program what a request means. */
  private static Object explained(Path file, HttpRequest request)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Sidecar.BIN.resolve("wardkeeper").toString());
    command.addAll(
        List.of("routes", "explain", file.toString(), request.method(), request.target()));
    command.addAll(List.of("--claims", "{\"sub\":\"alice\"}"));
    for (Header header : request.headers()) {
      if (!header.name().equals("Authorization")) {
        command.addAll(List.of("--header", header.name() + ": " + header.value()));
      }
    }
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String first = "";
    Object asks = null;
    try (BufferedReader said = process.inputReader()) {
      for (String line = said.readLine(); line != null; line = said.readLine()) {
        first = first.isEmpty() ? line : first;
        String text = line.strip();
        if (text.startsWith("asks ")) {
          try {
            asks =
                Json.parse(
                    text.substring("asks".length()).strip().getBytes(StandardCharsets.UTF_8));
          } catch (MalformedJsonException e) {
            throw new IOException(e);
          }
        }
      }
    }
    process.waitFor();
    return asks == null ? first.split(" ", -1)[0] : asks;
  }
}
