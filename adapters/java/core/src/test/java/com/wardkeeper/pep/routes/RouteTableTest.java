package com.wardkeeper.pep.routes;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.wardkeeper.pep.identity.KeysUnavailableException;
import com.wardkeeper.pep.identity.TokenInvalidException;
import com.wardkeeper.pep.identity.TokenVerifier;
import com.wardkeeper.pep.json.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(30)
class RouteTableTest {
  private static final String FILE =
      """
      version: 1
      subject:
        jwt: {keys_file: k, issuer: i, audience: a, algorithms: [ES256]}
      supported_obligations: [custom/confirm, notification]
      defaults:
        current_location: {claim: location, optional: true}
      routes:
        - {path: "/open/{rest...}", methods: [GET], public: true}
        - {path: /users, methods: [GET], action: user.list, resource: {type: location, id: {query: location}}}
        - {path: /users/me, methods: [GET], action: user.self, resource: {id: me}}
        - path: /users/{id}
          methods: [GET, DELETE]
          action: user.view
          resource: {id: {path: id}}
          confirmed: {header: X-Confirmed, optional: true}
          at_least: {header: X-At-Least, optional: true}
        - path: /users/{id}/roles
          methods: [POST]
          action: assignment.add
          resource: {id: {path: id}, properties: {note: {body: /note, optional: true}}}
          location: {body: /location}
          properties: {role: {body: /role}, new: true, tags: [a, 1, 1.50]}
        - {path: /hosted, host: admin.example.org, methods: [GET], action: user.view, resource: {id: x}}
      """;
  private static final RouteTable TABLE = parse(FILE);

  private static RouteTable parse(String text) {
    return RouteTable.parse(text.getBytes(StandardCharsets.UTF_8));
  }

  private static final class Asking {
    String method = "GET";
    String target = "/users/jane";
    String host = "clinic.example.org";
    String path;
    byte[] body = new byte[0];
    Map<String, Object> claims = Map.of("sub", "alice");
    final List<Header> headers = new ArrayList<>(List.of(new Header("authorization", "Bearer t")));

    Asking(String method, String target) {
      this.method = method;
      this.target = target;
    }

    Asking header(String name, String value) {
      headers.add(new Header(name, value));
      return this;
    }

    Asking json(String text) {
      body = text.getBytes(StandardCharsets.UTF_8);
      return header("Content-Type", "application/json");
    }

    Asking claims(Map<String, Object> other) {
      claims = other;
      return this;
    }

    /** Returns the question as a message, "public" or "no route". */
    Object meaning() throws RouteException {
      return meaning(token -> claims);
    }

    Object meaning(TokenVerifier verifier) throws RouteException {
      HttpRequest request =
          new HttpRequest(method, target, List.of(host), headers, path, limit -> body, () -> false);
      Resolution found = TABLE.resolve(request, verifier, route -> {});
      if (found.question() == null) {
        return found.route() == null ? "no route" : "public";
      }
      return found.question().message();
    }

    int status() {
      return assertThrows(RouteException.class, this::meaning).status();
    }
  }

  private static Asking get(String target) {
    return new Asking("GET", target);
  }

  @Test
  void aQuestion() throws RouteException {
    Object asked =
        get("/users/j%61ne")
            .header("X-Confirmed", "true")
            .header("x-at-least", "t")
            .claims(Map.of("sub", "alice", "location", "metro"))
            .meaning();
    assertEquals(
        Map.of(
            "subject", Map.of("type", "user", "id", "alice"),
            "action", Map.of("name", "user.view"),
            "resource", Map.of("type", "user", "id", "jane"),
            "context", Map.of("current_location", "metro", "confirmed", true, "at_least", "t")),
        asked);
  }

  @Test
  void aBody() throws RouteException {
    Asking asking = new Asking("POST", "/users/jane/roles");
    String asked =
        asking
            .json("{\"role\":9007199254740992,\"location\":7,\"note\":null}")
            .meaning()
            .toString();
    assertTrue(asked.contains("{role=9007199254740992, new=true, tags=[a, 1, 1.50]}"), asked);
    assertTrue(asked.contains("properties={location=7}"), asked);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"role\":\"r\",\"role\":\"s\",\"location\":\"l\"}",
        "{\"role\":\"r\",\"Role\":\"s\",\"location\":\"l\"}",
        "{\"role\":\"r\",\"location\":\" l\"}",
        "{\"role\":\"r\",\"location\":\"l\u200b\"}",
        "{\"role\":\"r\",\"location\":\"l\u0085\"}",
        "{\"role\":\"r\",\"location\":1.0}",
        "{\"role\":\"r\",\"location\":-0}",
        "{\"role\":\"r\",\"location\":9007199254740992}",
        "{\"role\":\"r\",\"location\":true}",
        "{\"role\":\"r\"}",
        "[\"role\"]",
        ""
      })
  void aBodyWithoutOneMeaning(String body) {
    assertEquals(400, new Asking("POST", "/users/jane/roles").json(body).status());
  }

  @ParameterizedTest
  @CsvSource({
    "1, true",
    "0.1, true",
    "1.50, true",
    "1e2, true",
    "-0, true",
    "0e999999999, true",
    "1e20, true",
    "9007199254740992, true",
    "9007199254740993, false",
    "123456789012345678, false",
    "0.1000000000000000055, false",
    "0.10000000000000001, false",
    "2.2250738585072014e-308, true",
    "2.2250738585072012e-308, false",
    "1.7976931348623157e308, true",
    "-123456789.123456789, false",
    "-123456789.1234567, true"
  })
  void numbersThatProgramsRound(String number, boolean isExact) throws Exception {
    Object value = Json.parse(("[{\"x\":" + number + "}]").getBytes(StandardCharsets.UTF_8));
    assertEquals(isExact, Value.isExact(value));
  }

  @ParameterizedTest
  @CsvSource({
    "application/json, true",
    "APPLICATION/Json;CHARSET=Utf-8, true",
    "'application/json \t; \tcharset=utf-8 \t; \t', true",
    "application/json;, true",
    "application/json;;, false",
    "application/json;;charset=utf-8, false",
    "application/json;charset=utf-8;charset=utf-8, false",
    "application/json;charset=latin-1, false",
    "application/jsonx, false",
    "'', false"
  })
  void contentTypes(String type, boolean isJson) throws RouteException {
    Asking asking = new Asking("POST", "/users/jane/roles").header("content-type", type);
    asking.body = "{\"role\":\"r\",\"location\":\"l\"}".getBytes(StandardCharsets.UTF_8);
    if (isJson) {
      asking.meaning();
    } else {
      assertEquals(400, asking.status());
    }
  }

  @Test
  void longBlanksTakeLinearTime() {
    String blanks = " \t".repeat(1 << 20);
    Asking asking = new Asking("POST", "/users/jane/roles");
    asking.header("content-type", "application/json" + blanks + "x").header("x-any", blanks);
    asking.body = new byte[] {'1'};
    assertEquals(400, asking.status());
    assertEquals(400, get("/users/jane").header("connection", "close" + blanks + "x").status());
  }

  @Test
  void aBodyThatIsTooLong() throws RouteException {
    String start = "{\"role\":\"r\",\"location\":\"l\"";
    String most = start + " ".repeat(Bodies.MAX - start.length() - 1) + "}";
    new Asking("POST", "/users/jane/roles").json(most).meaning();
    assertEquals(400, new Asking("POST", "/users/jane/roles").json(most + " ").status());
  }

  @Test
  void theFirstRouteCounts() throws RouteException {
    assertTrue(get("/users/me").meaning().toString().contains("user.self"));
    assertTrue(new Asking("DELETE", "/users/me").meaning().toString().contains("user.view"));
    assertTrue(new Asking("HEAD", "/users/jane").meaning().toString().contains("user.view"));
  }

  @ParameterizedTest
  @CsvSource({
    "PUT, /users/jane",
    "GET, /users/jane/",
    "GET, /Users/jane",
    "GET, /",
    "GET, /hosted"
  })
  void whatMatchesNoRoute(String method, String target) throws RouteException {
    assertEquals("no route", new Asking(method, target).meaning());
  }

  @Test
  void hosts() throws RouteException {
    Asking asking = get("/hosted");
    asking.host = "Admin.Example.Org:8080";
    asking.meaning();
    Asking open = get("/open/");
    open.host = "[2001:db8::1]:80";
    assertEquals("public", open.meaning());
    for (String host :
        List.of(
            "",
            "a..b",
            "a.",
            "a:b:80",
            "a:",
            "a:123456",
            "u@a",
            "[::1%25eth0]",
            "[::1",
            "[1.2.3.4]",
            "[]",
            "[:]",
            "[abc]",
            "a b",
            "\u00e9.org",
            "x".repeat(300))) {
      open.host = host;
      assertEquals(400, open.status(), host);
    }
  }

  @Test
  void claimsThatDoNotNameThePerson() {
    for (Object person : List.of("", List.of("alice"), " alice", true)) {
      assertEquals(401, get("/users/jane").claims(Map.of("sub", person)).status());
    }
    assertEquals(401, get("/users/jane").claims(Map.of()).status());
  }

  @Test
  void namesThatJavaTakesForOthers() {
    // Case folding has no dotless i for an I, but String.equalsIgnoreCase has.
    assertEquals(400, get("/users?locat%C4%B1on=x&location=y").status());
    assertEquals(400, get("/users?location=y&locat%C4%B0on=x").status());
  }

  @Test
  void verifiers() {
    Asking asking = get("/users/jane");
    TokenVerifier refusing =
        token -> {
          throw new TokenInvalidException("it has expired");
        };
    TokenVerifier waiting =
        token -> {
          throw new KeysUnavailableException();
        };
    TokenVerifier failing =
        token -> {
          throw new IllegalStateException("alice");
        };
    assertEquals(401, assertThrows(RouteException.class, () -> asking.meaning(refusing)).status());
    assertEquals(503, assertThrows(RouteException.class, () -> asking.meaning(waiting)).status());
    RouteException e = assertThrows(RouteException.class, () -> asking.meaning(failing));
    assertEquals(503, e.status());
    assertEquals("the verifier threw IllegalStateException", e.problem());
  }

  @Test
  void aPathThatTheApplicationGetsInAnotherWay() throws RouteException {
    Asking asking = get("/open/%61");
    asking.path = "/open/a";
    assertEquals("public", asking.meaning());
    asking.path = "/users/a";
    assertEquals(400, asking.status());
  }

  @ParameterizedTest
  @CsvSource({
    "X-HTTP-Method-Override, GET",
    "X_Http_Method, GET",
    "X-Original-URL, /",
    "X-Wardkeeper-Subject, bob",
    "x_wardkeeper_subject, bob",
    "X.Wardkeeper.Any, 1",
    "Connection, 'close, X-Foo'",
    "Trailer, X",
    "upgrade, 'websocket, H2C'",
    "Content_Length, 1",
    "X_Remote_User, bob",
    "Remote.User, bob"
  })
  void headersThatAreRefused(String name, String value) {
    assertEquals(400, get("/open/x").header(name, value).status());
  }

  @Test
  void onlyTheProxyNamesThePerson() throws RouteException {
    String text =
        "{\"version\":1,\"subject\":{\"header\":\"X-Person\"},\"routes\":["
            + "{\"path\":\"/open\",\"methods\":[\"GET\"],\"public\":true},"
            + "{\"path\":\"/x\",\"methods\":[\"GET\"],\"action\":\"a\",\"resource\":{\"id\":\"r\"}}]}";
    RouteTable table = parse(text);
    List<Header> named = List.of(new Header("X-Person", "alice"));
    List<Header> spelt = List.of(new Header("X_Person", "alice"));
    assertEquals(401, status(table, "/x", named, false));
    assertEquals(400, status(table, "/x", spelt, true));
    assertEquals(401, status(table, "/x", List.of(), true));
    assertEquals(400, status(table, "/open", named, false));
    assertEquals(400, status(table, "/open", spelt, false));
    assertEquals(0, status(table, "/open", named, true));
    assertEquals(0, status(table, "/x", named, true));
  }

  private static int status(RouteTable table, String target, List<Header> headers, boolean proxy) {
    HttpRequest request =
        new HttpRequest("GET", target, List.of("h"), headers, null, null, () -> proxy);
    try {
      table.resolve(request, token -> Map.of(), route -> {});
      return 0;
    } catch (RouteException e) {
      return e.status();
    }
  }

  @Test
  void aBodyThatCannotBeRead() {
    HttpRequest broken =
        new HttpRequest(
            "POST",
            "/users/jane/roles",
            List.of("h"),
            List.of(new Header("Authorization", "Bearer t")),
            null,
            limit -> {
              throw new IOException("jane");
            },
            () -> false);
    RouteException e =
        assertThrows(
            RouteException.class,
            () -> TABLE.resolve(broken, token -> Map.of("sub", "alice"), route -> {}));
    assertEquals("400 IOException", e.status() + " " + e.problem());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "version: 1 | version: 2 | line 1: version: version is not 1",
        "version: 1 | version: 1.0 | version is not 1",
        "version: 1 | more: 1 | \"more\" is not a key of the file",
        "audience: a, | | audience is missing",
        "keys_file: k | keys: http://idp.example.org/k | keys is not an https URL",
        "keys_file: k | keys: https://u:p@h/k | keys is not an https URL",
        "[ES256] | [HS256] | not an algorithm with a public key",
        "[ES256] | [] | algorithms is empty",
        "custom/confirm | custom | name its action",
        "notification] | a/b] | only custom has an action",
        "claim: location | body: /location | differs between routes",
        "public: true | public: false | public is false",
        "public: true | public: true, action: x | this one is public",
        "path: /users, | path: users, | does not begin with a slash",
        "path: /users/me | path: /users//me | matches no request",
        "path: /users/me | path: /users/%6de | a percent sign",
        "path: /users/{id}/roles | path: /users/{id...}/roles | make it the last segment",
        "path: /users/{id}/roles | path: /users/{user}/roles | the path has no parameter id",
        "path: /users/me | path: /open/me | no GET request reaches the route",
        "[GET, DELETE] | [get] | not a method",
        "[GET, DELETE] | [GET, GET] | is there twice",
        "{query: location} | {query: _method} | are refused",
        "{query: location} | {query: location, path: x} | has not exactly one",
        "{query: location} | {query: location, optional: true} | remove optional",
        "header: X-Confirmed | header: X-Wardkeeper-Confirmed | begins with X-Wardkeeper-",
        "header: X-Confirmed | header: Cookie | cannot be drawn from",
        "header: X-Confirmed | header: X-Request-Id | set it themselves",
        "body: /role | body: role | not a JSON pointer",
        "host: admin.example.org | host: Admin.example.org | write it in lower case",
        "tags: [a, 1, 1.50] | tags: 2026-01-01 | tags is not a text",
        "tags: [a, 1, 1.50] | tags: 0x10 | a number that JSON does not have",
        "{note: {body: /note, optional: true}} | {location: x} | write it once",
        "routes: | routes: &x | the YAML"
      })
  void faults(String old, String other, String message) {
    assertTrue(FILE.contains(old), old);
    String text = FILE.replace(old, other == null ? "" : other);
    if (message.equals("the YAML")) { // an anchor does no harm; an alias does
      parse(text);
      text = FILE.replace("{id: me}", "&a {id: me}").replace("{id: x}", "*a");
      message = "this is an alias";
    }
    String broken = text;
    RouteFileException e = assertThrows(RouteFileException.class, () -> parse(broken));
    assertTrue(e.getMessage().contains(message), e.getMessage());
    assertTrue(!e.faults().isEmpty());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "[]",
        "version: 1\n---\nversion: 1",
        "{\"version\": 1, \"version\": 1}",
        "version: 1\nversion: 1",
        "a: b: c",
        "1: 2",
        "<<: {version: 1}"
      })
  void whatIsNoRouteFile(String text) {
    assertThrows(RouteFileException.class, () -> parse(text));
  }

  @Test
  void aFileThatIsNestedTooDeeply() {
    assertThrows(RouteFileException.class, () -> parse("version: " + "[".repeat(10_000)));
    assertThrows(RouteFileException.class, () -> parse("{\"version\": " + "[".repeat(10_000)));
  }
}
