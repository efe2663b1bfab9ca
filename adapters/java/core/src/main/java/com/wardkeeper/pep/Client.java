package com.wardkeeper.pep;

import com.wardkeeper.pep.http.Address;
import com.wardkeeper.pep.http.Answer;
import com.wardkeeper.pep.http.Authorities;
import com.wardkeeper.pep.http.Connections;
import com.wardkeeper.pep.http.Deadline;
import com.wardkeeper.pep.http.Request;
import com.wardkeeper.pep.json.Json;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import javax.net.ssl.SSLContext;

/**
 * Asks one decision point. Several threads can use it at the same time, and it reuses its
 * connections. It neither caches nor logs, and it does not enforce: {@link Enforcer} does.
 *
 * <p>What it is asked throws {@link NoAnswerException} if there is no answer.
 */
public final class Client implements Decider, AutoCloseable {
  /** Questions of one request that a decision point accepts. */
  private static final int MAX_EVALUATIONS = 1000;

  private final Connections connections;
  private final Supplier<String> token;
  private final Duration timeout;
  private final int batchSize;
  private final Address address;
  private final String path;
  private final Endpoints endpoints;

  private Client(Builder builder, String path, Endpoints endpoints) {
    this.address = builder.address;
    this.connections = builder.connections();
    this.token = builder.token;
    this.timeout = builder.timeout;
    this.batchSize = builder.batchSize;
    this.path = path;
    this.endpoints = endpoints;
  }

  /** Returns a client with the default settings. */
  public static Client of(String url) {
    return builder(url).build();
  }

  /**
   * Begins a client.
   *
   * @param url {@code http://HOST:PORT}, {@code https://HOST} or {@code unix:/PATH}
   * @throws IllegalArgumentException for anything else
   */
  public static Builder builder(String url) {
    return new Builder(Address.of(url));
  }

  /** The settings of a client. */
  public static final class Builder {
    private final Address address;
    private Supplier<String> token = () -> "";
    private SSLContext tls;
    private Duration timeout = Duration.ofSeconds(1);
    private int maxConnections = 64;
    private int maxResponse = 1 << 20;
    private int batchSize = MAX_EVALUATIONS;

    private Builder(Address address) {
      this.address = address;
    }

    /** Sends a bearer token. */
    public Builder token(String bearer) {
      return token(() -> bearer);
    }

    /** Sends a bearer token, which is asked for with each request: it may change. */
    public Builder token(Supplier<String> bearer) {
      token = bearer;
      return this;
    }

    /** Trusts the certificate authorities of a PEM file, in place of those of the system. */
    public Builder caFile(Path file) {
      return tls(Authorities.of(file));
    }

    /** Uses these settings for https. The name in the certificate is verified in any case. */
    public Builder tls(SSLContext context) {
      tls = context;
      return this;
    }

    /** Bounds a question, its retry included. The default is a second. */
    public Builder timeout(Duration most) {
      if (most.isNegative() || most.isZero()) {
        throw new IllegalArgumentException("the time-out has to be positive");
      }
      timeout = most;
      return this;
    }

    /**
     * Bounds the connections, and so the requests in progress: further ones wait, within the
     * time-out. The default is 64.
     */
    public Builder maxConnections(int most) {
      maxConnections = positive(most);
      return this;
    }

    /** Bounds an answer, in bytes. The default is 1 MiB. */
    public Builder maxResponse(int bytes) {
      maxResponse = positive(bytes);
      return this;
    }

    /**
     * Bounds the questions of a request: more are sent in several. The default and the most is
     * 1,000.
     */
    public Builder batchSize(int most) {
      batchSize = Math.min(positive(most), MAX_EVALUATIONS);
      return this;
    }

    private static int positive(int number) {
      if (number < 1) {
        throw new IllegalArgumentException("a bound has to be positive");
      }
      return number;
    }

    private Connections connections() {
      SSLContext context = address.tls() ? (tls == null ? Authorities.ofSystem() : tls) : null;
      return new Connections(address, context, maxConnections, maxResponse);
    }

    /** Returns the client. It opens no connection yet. */
    public Client build() {
      return new Client(this, address.target(), Endpoints.DEFAULT);
    }

    /**
     * Returns a client that uses the endpoints of the decision point's metadata.
     *
     * @throws NoAnswerException if there are none, or they name another server
     */
    public Client discover() {
      try (Client asking = build()) {
        return new Client(this, "", asking.paths(asking.metadata()));
      }
    }
  }

  /**
   * Answers every question, in order: one as an evaluation, and several in as few batches as the
   * batch size allows.
   */
  @Override
  public List<Response> decide(List<Evaluation> questions) {
    Deadline deadline = Deadline.after(timeout);
    if (questions.size() == 1) {
      byte[] body = post(endpoints.evaluation(), questions.get(0).message(), deadline);
      return List.of(Answers.response(Answers.object(body)));
    }
    List<Response> responses = new ArrayList<>(questions.size());
    for (int start = 0; start < questions.size(); start += batchSize) {
      int end = Math.min(start + batchSize, questions.size());
      List<Evaluation> chunk = questions.subList(start, end);
      Map<String, Object> message = new LinkedHashMap<>();
      message.put("options", Map.of("evaluations_semantic", "execute_all"));
      message.put("evaluations", chunk.stream().map(Evaluation::message).toList());
      List<Response> answers = Answers.responses(post(endpoints.evaluations(), message, deadline));
      if (answers.size() != chunk.size()) {
        throw new NoAnswerException(
            "the decision point answered " + answers.size() + " of " + chunk.size() + " questions");
      }
      responses.addAll(answers);
    }
    return responses;
  }

  /** Answers one question. */
  public Response evaluate(Evaluation question) {
    return decide(List.of(question)).get(0);
  }

  /**
   * Claims the guard of an answer to the question (pdp/authzen/PROTOCOL.md, Guards). The change may
   * be made only if the result is {@link Claim#claimed}.
   *
   * <p>The claim is sent once, without a retry: after an exception, it may be in force until it
   * expires.
   *
   * @param question the one that was asked, with the same context
   * @param guard {@link Response#guard} of its answer
   * @throws NoAnswerException if there is no answer. Then the change may not be made
   */
  public Claim claim(Evaluation question, String guard) {
    Map<String, Object> message = new LinkedHashMap<>(question.message());
    message.put("guard", guard);
    Deadline deadline = Deadline.after(timeout);
    return Answers.claim(send(endpoints.guardClaim(), message, true, deadline));
  }

  /**
   * Returns the results of a search, page by page as they are consumed. Each page is a request with
   * a time-out of its own. If one fails, the stream ends with {@link NoAnswerException}, and the
   * list is incomplete.
   */
  public Stream<Hit> search(Search.Kind kind, Search search) {
    return StreamSupport.stream(new Hits(this, kind, search), false);
  }

  /** Returns one page of a search: that of its token. */
  public Page page(Search.Kind kind, Search search) {
    String endpoint =
        switch (kind) {
          case SUBJECT -> endpoints.searchSubject();
          case RESOURCE -> endpoints.searchResource();
          case ACTION -> endpoints.searchAction();
        };
    return Answers.page(post(endpoint, search.message(kind), Deadline.after(timeout)));
  }

  /** Returns what the decision point says of itself. */
  public Metadata metadata() {
    // The well-known path is between the host and the path of the URL.
    String target = "/.well-known/authzen-configuration" + path;
    Request request = new Request("GET", target, fields(), new byte[0], true, false);
    return Answers.metadata(connections.send(request, Deadline.after(timeout)).body());
  }

  /**
   * Returns the paths of endpoints. All have to be at the server that was asked, so that no other
   * gets questions.
   */
  private Endpoints paths(Metadata metadata) {
    String base = metadata.policyDecisionPoint();
    while (base.endsWith("/")) {
      base = base.substring(0, base.length() - 1);
    }
    if (address.socket().isEmpty() && !base.equals(address.origin() + path)) {
      throw new NoAnswerException(
          "the metadata are those of another decision point: use the URL that they give as"
              + " policy_decision_point");
    }
    Address server = Address.ofResource(base);
    Endpoints urls = metadata.endpoints();
    return new Endpoints(
        pathAt(server, urls.evaluation()),
        pathAt(server, urls.evaluations()),
        pathAt(server, urls.searchSubject()),
        pathAt(server, urls.searchResource()),
        pathAt(server, urls.searchAction()),
        pathAt(server, urls.guardClaim()));
  }

  private static String pathAt(Address server, String url) {
    if (url.isEmpty()) {
      return "";
    }
    Address endpoint = Address.ofResource(url);
    if (server == null
        || endpoint == null
        || !endpoint.origin().equals(server.origin())
        || !endpoint.target().startsWith("/")) {
      throw new NoAnswerException("the metadata name an endpoint at another server");
    }
    return endpoint.target();
  }

  private byte[] post(String endpoint, Map<String, Object> message, Deadline deadline) {
    return send(endpoint, message, false, deadline).body();
  }

  private Answer send(
      String endpoint, Map<String, Object> message, boolean claim, Deadline deadline) {
    if (endpoint.isEmpty()) {
      throw new NoAnswerException("the decision point does not offer this by its metadata");
    }
    byte[] body;
    try {
      body = Json.write(message);
    } catch (IllegalArgumentException e) { // whose message is not told: it may name something
      throw new NoAnswerException("the question cannot be encoded as JSON");
    }
    Map<String, String> fields = fields();
    fields.put("Content-Type", "application/json");
    return connections.send(
        new Request("POST", path + endpoint, fields, body, true, claim), deadline);
  }

  private Map<String, String> fields() {
    Trace trace = Trace.current();
    Map<String, String> fields = new LinkedHashMap<>();
    fields.put("Accept", "application/json");
    put(fields, "X-Request-ID", trace.requestId());
    put(fields, "traceparent", trace.traceparent());
    put(fields, "tracestate", trace.tracestate());
    String bearer = token.get();
    put(fields, "Authorization", bearer.isEmpty() ? "" : "Bearer " + bearer);
    return fields;
  }

  private static void put(Map<String, String> fields, String name, String value) {
    if (!value.isEmpty()) {
      fields.put(name, value);
    }
  }

  /** Closes the connections that are not in use. The client can still be used. */
  @Override
  public void close() {
    connections.close();
  }
}
