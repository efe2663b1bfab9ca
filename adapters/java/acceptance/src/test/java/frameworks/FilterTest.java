package frameworks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.wardkeeper.pep.Checker;
import com.wardkeeper.pep.Client;
import com.wardkeeper.pep.Enforcer;
import com.wardkeeper.pep.Handler;
import com.wardkeeper.pep.Refusal;
import com.wardkeeper.pep.RefusedException;
import com.wardkeeper.pep.Trace;
import com.wardkeeper.pep.routes.RouteTable;
import com.wardkeeper.pep.servlet.WardkeeperFilter;
import com.wardkeeper.pep.testing.FakePdp;
import jakarta.servlet.AsyncContext;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Predicate;
import org.apache.catalina.Context;
import org.apache.catalina.LifecycleException;
import org.apache.catalina.startup.Tomcat;
import org.apache.tomcat.util.descriptor.web.FilterDef;
import org.apache.tomcat.util.descriptor.web.FilterMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The servlet filter in Tomcat, below a context path. */
class FilterTest {
  private static final String FILE =
      """
      version: 1
      subject: {header: X-Person}
      routes:
        - {path: /clinic/open, methods: [GET], public: true}
        - {path: "/clinic/users/{id}", methods: [GET, POST], action: user.view, resource: {id: {path: id}}}
        - {path: /clinic/echo, methods: [POST], action: user.view, resource: {id: {body: /id}}}
        - {path: /users/jane, methods: [GET], public: true}
      """;

  @TempDir private Path folder;
  private final List<String> done = new CopyOnWriteArrayList<>();
  private final FakePdp pdp = FakePdp.start().permit("user.view", "notification", Map.of());
  private Predicate<HttpServletRequest> proof = request -> true;
  private Tomcat tomcat;
  private int port;

  private final class Pages extends HttpServlet {
    private static final long serialVersionUID = 1L;

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response)
        throws IOException, ServletException {
      String path = request.getServletPath();
      if (path.endsWith("/async") || path.endsWith("/async-fails")) {
        AsyncContext context = request.startAsync();
        context.start(
            () -> {
              done.add("answered");
              response.setStatus(path.endsWith("fails") ? 500 : 200);
              context.complete();
            });
        return;
      }
      switch (path.substring(path.lastIndexOf('/') + 1)) {
        case "fails" -> response.sendError(500);
        case "throws" -> throw new ServletException("the database is away");
        case "refused" -> throw new RefusedException(Refusal.noRoute());
        case "wrapped" -> throw new ServletException(new RefusedException(Refusal.noRoute()));
        case "reader" -> response.getWriter().print(request.getReader().readLine());
        case "echo" -> request.getInputStream().transferTo(response.getOutputStream());
        default -> {
          boolean isChecked = WardkeeperFilter.isChecked(request);
          String person = isChecked ? WardkeeperFilter.resultOf(request).subject() : "";
          response.getWriter().print("hello " + person + " " + Trace.current().requestId());
        }
      }
    }
  }

  @BeforeEach
  void start() throws LifecycleException {
    Enforcer enforcer =
        new Enforcer(
            Client.builder(pdp.url()).timeout(Duration.ofSeconds(30)).build(),
            Map.of("notification", Handler.after(obligation -> done.add("done"))));
    Checker checker = Checker.of(RouteTable.parse(FILE.getBytes(StandardCharsets.UTF_8)), enforcer);
    tomcat = new Tomcat();
    tomcat.setBaseDir(folder.toString());
    tomcat.setPort(0);
    Context context = tomcat.addContext("/clinic", folder.toString());
    FilterDef filter = new FilterDef();
    filter.setFilterName("wardkeeper");
    filter.setFilter(new WardkeeperFilter(checker, request -> proof.test(request)));
    filter.setAsyncSupported("true");
    context.addFilterDef(filter);
    FilterMap everything = new FilterMap();
    everything.setFilterName("wardkeeper");
    everything.addURLPattern("/*");
    context.addFilterMap(everything);
    Tomcat.addServlet(context, "pages", new Pages()).setAsyncSupported(true);
    context.addServletMappingDecoded("/", "pages");
    tomcat.start();
    port = tomcat.getConnector().getLocalPort();
  }

  @AfterEach
  void stop() throws LifecycleException {
    tomcat.stop();
    tomcat.destroy();
    pdp.close();
  }

  private Exchange get(String target, String... more) {
    try {
      List<String> fields = new CopyOnWriteArrayList<>(more);
      fields.add("X-Person: alice");
      return Exchange.of(port, "GET " + target, fields, "");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void whatMayPassPasses() {
    Exchange answer = get("/clinic/users/jane", "X-Request-ID: r-1");
    assertEquals("200 hello alice r-1", answer.status() + " " + answer.body());
    assertEquals(List.of("done"), done);
    assertEquals("alice", pdp.asked().get(0).subject());
  }

  @Test
  void thePathIsJudgedAsTheServerRoutesIt() {
    assertEquals(200, get("/clinic/users/j%61ne").status());
    assertEquals("jane", pdp.asked().get(0).resource());
    assertEquals(404, get("/users/jane").status()); // Tomcat has no such context
    for (String target :
        List.of(
            "/clinic/users/jane;x=1",
            "/clinic;x/users/jane",
            "/clinic/./users/jane",
            "/other/../clinic/users/jane",
            "/clinic/open/../users/jane",
            "//clinic/open")) {
      assertTrue(List.of(400, 404).contains(get(target).status()), target);
    }
    assertEquals(200, get("/%63linic/open").status());
    assertEquals(1, pdp.asked().size());
  }

  @ParameterizedTest
  @ValueSource(strings = {"fails", "throws"})
  void nothingIsDueAfterAFailure(String page) {
    assertEquals(500, get("/clinic/users/" + page).status());
    assertEquals(List.of(), done);
  }

  @Test
  void anAsynchronousAnswerIsWaitedFor() throws InterruptedException {
    assertEquals(200, get("/clinic/users/async").status());
    while (done.size() < 2) {
      Thread.sleep(5);
    }
    assertEquals(List.of("answered", "done"), done);
    assertEquals(500, get("/clinic/users/async-fails").status());
    Thread.sleep(100);
    assertEquals(List.of("answered", "done", "answered"), done);
  }

  @ParameterizedTest
  @ValueSource(strings = {"refused", "wrapped"})
  void aRefusalOfTheApplicationIsAnswered(String page) {
    Exchange answer = get("/clinic/users/" + page, "X-Request-ID: r-1");
    assertEquals(403, answer.status());
    assertEquals("application/problem+json", answer.field("Content-Type"));
    assertEquals("r-1", answer.field("X-Request-ID"));
    assertEquals(List.of(), done);
  }

  @Test
  void theApplicationReadsTheBodyThatWasJudged() throws IOException {
    String body = "{\"id\":\"jané\"}";
    String[] fields = {"X-Person: alice", "Content-Type: application/json"};
    assertEquals(body, Exchange.post(port, "/clinic/echo", body, fields).body());
    assertEquals("jané", pdp.asked().get(0).resource());
    String chunked = "7\r\n{\"id\":1\r\n1\r\n}\r\n0\r\n\r\n";
    Exchange answer =
        Exchange.post(
            port, "/clinic/echo", chunked, fields[0], fields[1], "Transfer-Encoding: chunked");
    assertTrue(answer.body().contains("{\"id\":1}"), answer.body());
    assertEquals("1", pdp.asked().get(1).resource());
    Exchange unread = Exchange.post(port, "/clinic/users/reader", "hello", "X-Person: alice");
    assertEquals("hello", unread.body());
  }

  @Test
  void aBodyThatIsTooLongIsNotRead() throws IOException {
    String body = "{\"id\":\"jane\"" + " ".repeat(70_000) + "}";
    String[] fields = {"X-Person: alice", "Content-Type: application/json"};
    assertEquals(400, Exchange.post(port, "/clinic/echo", body, fields).status());
    assertEquals(List.of(), pdp.asked());
  }

  @Test
  void onlyTheProxyNamesThePerson() throws IOException {
    assertEquals(
        400, Exchange.get(port, "/clinic/users/jane", "X-Person: alice", "X_Person: bob").status());
    assertEquals(401, Exchange.get(port, "/clinic/users/jane").status());
    proof = request -> false;
    Exchange answer = get("/clinic/users/jane");
    assertEquals(401, answer.status());
    assertEquals("Bearer", answer.field("WWW-Authenticate"));
    proof =
        request -> {
          throw new IllegalStateException("alice");
        };
    answer = get("/clinic/users/jane");
    assertEquals(503, answer.status());
    assertNotNull(answer.field("X-Request-ID"));
    assertEquals(List.of(), pdp.asked());
  }

  @Test
  void refusals() {
    pdp.deny("user.view", "Not one of yours.");
    Exchange denied = get("/clinic/users/jane");
    assertEquals("403 no-store", denied.status() + " " + denied.field("Cache-Control"));
    assertTrue(denied.body().contains("\"detail\":\"Not one of yours.\""), denied.body());
    assertTrue(
        get("/clinic/users/jane", "Accept: text/html").body().contains("<h1>Forbidden</h1>"));
    pdp.fail(true);
    Exchange failed = get("/clinic/users/jane");
    assertEquals("503 1", failed.status() + " " + failed.field("Retry-After"));
    assertFalse(get("/clinic/elsewhere").body().contains("hello"));
    assertEquals(403, get("/clinic/elsewhere").status());
  }
}
