package com.wardkeeper.pep.routes;

import com.wardkeeper.pep.identity.TokenVerifier;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.function.Consumer;

/**
 * A parsed route file: what HTTP requests mean (PEP-12, PEP-14). It does not change. It asks
 * nobody, and enforces nothing.
 */
public final class RouteTable {
  /** Bytes of a route file. */
  public static final int MAX_FILE = 1 << 20;

  private final Jwt jwt;
  private final String header;
  private final List<String> supportedObligations;
  private final List<Route> routes;
  private final Tree tree;

  private RouteTable(FileParser parsed) {
    this.jwt = parsed.jwt;
    this.header = parsed.header;
    this.supportedObligations = List.copyOf(parsed.kinds);
    this.routes = List.copyOf(parsed.routes);
    this.tree = parsed.tree;
  }

  /**
   * Reads a route file: JSON, or YAML where SnakeYAML is on the class path.
   *
   * @throws RouteFileException with every fault of the file
   * @throws IOException if it cannot be read
   */
  public static RouteTable load(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      return parse(in.readNBytes(MAX_FILE + 1));
    }
  }

  /**
   * Parses a route file.
   *
   * @throws RouteFileException with every fault of the file
   */
  public static RouteTable parse(byte[] data) {
    Document document = Document.of(data);
    FileParser parser = new FileParser(document.lines());
    parser.file(document.root());
    if (!parser.faults.isEmpty()) {
      throw new RouteFileException(
          parser.faults.stream().sorted(Comparator.comparingInt(Fault::line)).toList());
    }
    return new RouteTable(parser);
  }

  /**
   * Returns how tokens are verified; null if a header field names the person, or nobody is asked
   * about.
   */
  public Jwt jwt() {
    return jwt;
  }

  /** Returns the kinds of obligation that the application behind fulfills. */
  public List<String> supportedObligations() {
    return supportedObligations;
  }

  /** Returns the routes, in the file's order. */
  public List<Route> routes() {
    return routes;
  }

  /**
   * Finds out what a request means.
   *
   * @param request the request
   * @param verifier verifies the token that names the person
   * @param matched is told the route as soon as it is found
   * @throws RouteException if the request has no single meaning, or the person is not known
   */
  public Resolution resolve(HttpRequest request, TokenVerifier verifier, Consumer<Route> matched)
      throws RouteException {
    String method = request.method();
    if (!isMethod(method)) {
      throw RouteException.badRequest(
          "The method is not a word of upper-case letters: send one such as GET.");
    }
    if (method.equals("TRACE") || method.equals("CONNECT")) {
      throw RouteException.badRequest(
          "The method is TRACE or CONNECT, which is never served here: send another one.");
    }
    Target target = Target.parse(request.target());
    if (request.path() != null && !request.path().equals(target.path())) {
      throw RouteException.badRequest(
          "The path that was sent is not the one that the application gets: send the path that is"
              + " meant.");
    }
    String host = Hosts.canonical(request.host());
    Headers.check(request.headers());
    if (Query.overridesMethod(target.query())) {
      throw RouteException.badRequest(
          "The query has the parameter "
              + Query.METHOD_PARAMETER
              + ": send the method that is meant.");
    }
    List<String> parts = List.of(target.path().substring(1).split("/", -1));
    Route route = tree.find(parts, host, method, null);
    if (route == null) {
      return new Resolution(null, null);
    }
    matched.accept(route);
    if (route.isPublic) {
      checkUnasked(request);
      return new Resolution(route, null);
    }
    Draft draft = new Draft(request, route, target);
    if (jwt != null) {
      draft.identify(jwt, verifier);
    } else {
      draft.identify(header);
    }
    draft.read();
    return new Resolution(route, draft.question());
  }

  /**
   * Refuses a request for a public route that names a person but is not the proxy's: the
   * application may believe it.
   */
  private void checkUnasked(HttpRequest request) throws RouteException {
    boolean names = !header.isEmpty() && Headers.one(request.headers(), header) != null;
    if (names && !request.fromProxy().getAsBoolean()) {
      throw RouteException.badRequest(
          "The request has the header " + header + ", which only the proxy may set: leave it out.");
    }
  }

  /** Tells whether this is a token without lower-case letters. */
  static boolean isMethod(String method) {
    boolean is = !method.isEmpty() && method.length() <= 32;
    for (int i = 0; is && i < method.length(); i++) {
      char c = method.charAt(i);
      is = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || "!#$%&'*+-.^_`|~".indexOf(c) >= 0;
    }
    return is;
  }
}
