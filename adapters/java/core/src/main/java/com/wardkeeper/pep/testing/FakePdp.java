package com.wardkeeper.pep.testing;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import com.wardkeeper.pep.json.Json;
import com.wardkeeper.pep.json.MalformedJsonException;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Function;

/**
 * A decision point that answers what a test says, and records what it is asked. It denies what no
 * call permits; the last call for an action counts. Several threads can use it at the same time.
 *
 * <p>An allow has a guard if the question asks for one. It can be claimed once: after that, claims
 * of it are refused as {@code taken}, and if the change is not permitted any more, as {@code
 * denied}.
 *
 * <pre>{@code
 * try (FakePdp pdp = FakePdp.start()) {
 *   pdp.permit("user.view");
 *   Client client = Client.of(pdp.url());
 * }
 * }</pre>
 */
public final class FakePdp implements AutoCloseable {
  private static final String SEARCHES = "/access/v1/search/";
  private static final String CLAIM = "/v1/guards/claim";
  private static final int PAGE = 100; // results, where the search does not say

  private final HttpServer server;
  private final ExecutorService threads;
  private final Map<String, Function<Asked, Map<String, Object>>> rules = new ConcurrentHashMap<>();
  private final Map<String, List<Map<String, Object>>> lists = new ConcurrentHashMap<>();
  private final List<Asked> asked = new CopyOnWriteArrayList<>();
  private final Map<String, Map<String, Object>> guards = new ConcurrentHashMap<>(); // to claim
  private final Set<String> claimed = ConcurrentHashMap.newKeySet();
  private volatile boolean down;

  /**
   * A question that was asked.
   *
   * @param subject the id of who asks
   * @param action the name of the action
   * @param resource the id of what it is about
   * @param context what else counts
   * @param message the whole question
   */
  public record Asked(
      String subject,
      String action,
      String resource,
      Map<String, Object> context,
      Map<String, Object> message) {}

  private record Reply(int status, Map<String, Object> body) {
    static Reply of(Map<String, Object> body) {
      return new Reply(200, body);
    }

    static Reply none(int status) {
      return new Reply(status, Map.of("error", "there is no answer"));
    }
  }

  private FakePdp(HttpServer server) {
    this.server = server;
    this.threads =
        Executors.newCachedThreadPool(
            task -> {
              Thread thread = new Thread(task, "fake-pdp");
              thread.setDaemon(true);
              return thread;
            });
    server.setExecutor(threads);
    server.createContext("/", this::answer);
    server.start();
  }

  /** Starts to answer, at a port that the system chooses. */
  public static FakePdp start() {
    try {
      InetSocketAddress any = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
      return new FakePdp(HttpServer.create(any, 0));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Returns the URL for {@link com.wardkeeper.pep.Client}. */
  public String url() {
    return "http://127.0.0.1:" + server.getAddress().getPort();
  }

  /** Returns the questions, in the order of their arrival. */
  public List<Asked> asked() {
    return List.copyOf(asked);
  }

  /** Permits an action. */
  public FakePdp permit(String action) {
    return answer(action, question -> Map.of("decision", true));
  }

  /**
   * Permits an action that obliges: to {@code notification} with {@code Map.of("channel",
   * "email")}, for instance.
   */
  public FakePdp permit(String action, String type, Map<String, Object> properties) {
    Map<String, Object> obligation =
        Map.of("id", "TEST/" + type, "type", type, "properties", properties);
    return answer(
        action,
        question ->
            Map.of("decision", true, "context", Map.of("obligations", List.of(obligation))));
  }

  /** Permits an action once the person has confirmed it. */
  public FakePdp permitOnceConfirmed(String action, String cause) {
    Map<String, Object> properties = Map.of("action", "confirm", "cause", cause);
    Map<String, Object> confirm =
        Map.of("id", "TEST/confirm", "type", "custom", "properties", properties);
    return answer(
        action,
        question ->
            Boolean.TRUE.equals(question.context().get("confirmed"))
                ? Map.of("decision", true)
                : Map.of("decision", true, "context", Map.of("obligations", List.of(confirm))));
  }

  /** Denies an action, with a reason for the person. */
  public FakePdp deny(String action, String message) {
    Map<String, Object> reason = Map.of("code", "not_permitted", "message", message);
    return answer(
        action,
        question -> Map.of("decision", false, "context", Map.of("reasons", List.of(reason))));
  }

  /** Answers questions about an action by a function, which returns the answer as JSON has it. */
  public FakePdp answer(String action, Function<Asked, Map<String, Object>> rule) {
    rules.put(action, rule);
    return this;
  }

  /** Answers searches for users with their ids. */
  public FakePdp list(List<String> users) {
    List<Map<String, Object>> hits = new ArrayList<>();
    users.forEach(id -> hits.add(Map.of("type", "user", "id", id)));
    lists.put("resource", hits);
    lists.put("subject", hits);
    return this;
  }

  /** Answers with status 503 from now on, as one that is overloaded, or no longer. */
  public FakePdp fail(boolean fails) {
    down = fails;
    return this;
  }

  @Override
  public void close() {
    server.stop(0);
    threads.shutdownNow();
  }

  private void answer(HttpExchange exchange) throws IOException {
    try (exchange) {
      Reply reply = down ? Reply.none(503) : reply(exchange);
      byte[] body = Json.write(reply.body());
      exchange.getResponseHeaders().set("Content-Type", "application/json");
      String id = exchange.getRequestHeaders().getFirst("X-Request-ID");
      if (id != null) {
        exchange.getResponseHeaders().set("X-Request-ID", id);
      }
      exchange.sendResponseHeaders(reply.status(), body.length);
      try (OutputStream out = exchange.getResponseBody()) {
        out.write(body);
      }
    }
  }

  private Reply reply(HttpExchange exchange) throws IOException {
    String path = exchange.getRequestURI().getPath();
    if (path.equals("/.well-known/authzen-configuration")) {
      return Reply.of(metadata());
    }
    Map<String, Object> message;
    try {
      message = Json.parseObject(exchange.getRequestBody().readAllBytes());
    } catch (MalformedJsonException e) {
      return Reply.none(404);
    }
    if (path.equals("/access/v1/evaluation")) {
      return Reply.of(guarded(decide(message), message));
    }
    if (path.equals(CLAIM)) {
      return claim(message);
    }
    if (path.equals("/access/v1/evaluations")) {
      List<Object> answers = new ArrayList<>();
      for (Object question : Json.array(message.get("evaluations"))) {
        answers.add(guarded(decide(Json.object(question)), Json.object(question)));
      }
      return Reply.of(Map.of("evaluations", answers));
    }
    return path.startsWith(SEARCHES)
        ? Reply.of(page(path.substring(SEARCHES.length()), message))
        : Reply.none(404);
  }

  private Map<String, Object> metadata() {
    Map<String, Object> metadata = new LinkedHashMap<>();
    metadata.put("policy_decision_point", url());
    metadata.put("access_evaluation_endpoint", url() + "/access/v1/evaluation");
    metadata.put("access_evaluations_endpoint", url() + "/access/v1/evaluations");
    for (String kind : List.of("subject", "resource", "action")) {
      metadata.put("search_" + kind + "_endpoint", url() + SEARCHES + kind);
    }
    metadata.put("guard_claim_endpoint", url() + CLAIM);
    return metadata;
  }

  private Map<String, Object> decide(Map<String, Object> message) {
    Map<String, Object> context = Json.object(message.get("context"));
    Asked question =
        new Asked(
            Json.text(Json.object(message.get("subject")).get("id")),
            Json.text(Json.object(message.get("action")).get("name")),
            Json.text(Json.object(message.get("resource")).get("id")),
            context == null ? Map.of() : context,
            message);
    asked.add(question);
    return rules.getOrDefault(question.action(), any -> Map.of("decision", false)).apply(question);
  }

  /** Adds a guard to an allow, if the question asks for one. */
  private Map<String, Object> guarded(Map<String, Object> answer, Map<String, Object> message) {
    Map<String, Object> asked = Json.object(message.get("context"));
    List<Object> include = asked == null ? null : Json.array(asked.get("include"));
    if (!Boolean.TRUE.equals(answer.get("decision"))
        || include == null
        || !include.contains("guard")) {
      return answer;
    }
    String token = UUID.randomUUID().toString();
    guards.put(token, bound(message));
    Map<String, Object> context = new LinkedHashMap<>();
    if (answer.get("context") != null) {
      context.putAll(Json.object(answer.get("context")));
    }
    context.put("guard", Map.of("token", token, "expires", expires(), "records", List.of()));
    Map<String, Object> guarded = new LinkedHashMap<>(answer);
    guarded.put("context", context);
    return guarded;
  }

  /** Returns what a guard is bound to: the question, without what only concerns the answer. */
  private static Map<String, Object> bound(Map<String, Object> message) {
    Map<String, Object> context = new LinkedHashMap<>();
    if (message.get("context") != null) {
      context.putAll(Json.object(message.get("context")));
    }
    context.keySet().removeAll(List.of("include", "at_least"));
    Map<String, Object> question = new LinkedHashMap<>(message);
    question.remove("guard");
    question.put("context", context);
    return question;
  }

  private static String expires() {
    return Instant.now().plusSeconds(10).truncatedTo(ChronoUnit.MILLIS).toString();
  }

  private Reply claim(Map<String, Object> message) {
    String token = Json.text(message.get("guard"));
    if (!bound(message).equals(guards.get(token))) {
      return Reply.none(400);
    }
    Map<String, Object> answer = decide(message);
    boolean allowed = Boolean.TRUE.equals(answer.get("decision"));
    Map<String, Object> reply = new LinkedHashMap<>();
    if (allowed && claimed.add(token)) {
      reply.put("claimed", true);
      reply.put("expires", expires());
      reply.put("evaluation", answer);
      return Reply.of(reply);
    }
    reply.put("claimed", false);
    reply.put("code", allowed ? "taken" : "denied");
    reply.put("error", "It cannot be claimed.");
    reply.put("evaluation", guarded(answer, message));
    return new Reply(409, reply);
  }

  private Map<String, Object> page(String kind, Map<String, Object> message) {
    List<Map<String, Object>> hits = lists.getOrDefault(kind, List.of());
    Map<String, Object> page = Json.object(message.get("page"));
    String token = page == null ? "" : Json.text(page.get("token"));
    int limit = page != null && page.get("limit") instanceof Long most ? most.intValue() : PAGE;
    int start = token.isEmpty() ? 0 : Integer.parseInt(token);
    int end = Math.min(start + limit, hits.size());
    String next = end < hits.size() ? String.valueOf(end) : "";
    return Map.of("results", hits.subList(start, end), "page", Map.of("next_token", next));
  }
}
