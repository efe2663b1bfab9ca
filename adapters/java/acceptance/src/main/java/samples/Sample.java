package samples;

import com.wardkeeper.pep.CheckResult;
import com.wardkeeper.pep.Checker;
import com.wardkeeper.pep.Client;
import com.wardkeeper.pep.Enforcer;
import com.wardkeeper.pep.Handler;
import com.wardkeeper.pep.Obligation;
import com.wardkeeper.pep.json.Json;
import com.wardkeeper.pep.routes.RouteTable;
import com.wardkeeper.pep.servlet.WardkeeperFilter;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;

/** What the sample applications share (adapters/CONTRACT.md, "The sample application"). */
final class Sample {
  private static final List<String> DONE = new CopyOnWriteArrayList<>();

  private Sample() {}

  static String environment(String name) {
    String value = System.getenv(name);
    return value == null ? "" : value;
  }

  static int port() {
    String address = environment("LISTEN_ADDR");
    return Integer.parseInt(address.substring(address.lastIndexOf(':') + 1));
  }

  static Client client() {
    Client.Builder builder = Client.builder(environment("PDP_URL")).token(Sample::token);
    if (!environment("PDP_CA_FILE").isEmpty()) {
      builder.caFile(Path.of(environment("PDP_CA_FILE")));
    }
    if (!environment("PDP_TIMEOUT").isEmpty()) {
      builder.timeout(Duration.ofSeconds(Long.parseLong(environment("PDP_TIMEOUT"))));
    }
    return builder.build();
  }

  private static String token() {
    try {
      return Files.readString(Path.of(environment("PDP_TOKEN_FILE"))).strip();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static Map<String, Handler> handlers() {
    Handler notification =
        Handler.after(obligation -> DONE.add(obligation.id())).when(Sample::canNotify);
    return Map.of("notification", notification, Handler.CONFIRM, Handler.shown());
  }

  private static boolean canNotify(Obligation obligation) {
    String channel = Json.text(obligation.properties().get("channel"));
    if (channel.equals("fault")) {
      throw new IllegalStateException(Json.text(obligation.properties().get("to")));
    }
    return channel.equals("email");
  }

  static Checker checker() throws IOException {
    RouteTable table = RouteTable.load(Path.of(environment("ROUTES_FILE")));
    return Checker.of(table, new Enforcer(client(), handlers()));
  }

  /** Answers as the contract says. */
  static final class Pages extends HttpServlet {
    private static final long serialVersionUID = 1L;
    private final transient Checker checker;

    Pages(Checker checker) {
      this.checker = checker;
    }

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response)
        throws IOException {
      if (request.getDispatcherType() == DispatcherType.ERROR) {
        return; // the server has refused the request
      }
      String path =
          request.getServletPath() + (request.getPathInfo() == null ? "" : request.getPathInfo());
      if (path.endsWith("/fails")) {
        response.sendError(500);
        return;
      }
      response.setContentType("application/json");
      response.getOutputStream().write(Json.write(answer(path, request)));
    }

    private Object answer(String path, HttpServletRequest request) {
      if (path.equals("/done")) {
        return DONE;
      }
      CheckResult result = WardkeeperFilter.resultOf(request);
      if (path.startsWith("/can/")) {
        List<String> actions = List.of(request.getParameterValues("action"));
        return checker.enforcer().can(actions, result.about(path.substring("/can/".length())));
      }
      Map<String, Object> answer = new LinkedHashMap<>();
      answer.put("method", request.getMethod());
      answer.put("path", path);
      answer.put("subject", result.subject());
      return answer;
    }
  }
}
