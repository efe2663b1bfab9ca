package com.wardkeeper.pep.routes;

import com.wardkeeper.pep.Action;
import com.wardkeeper.pep.Entity;
import com.wardkeeper.pep.Evaluation;
import com.wardkeeper.pep.identity.KeysUnavailableException;
import com.wardkeeper.pep.identity.TokenInvalidException;
import com.wardkeeper.pep.identity.TokenVerifier;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/** Turns one request into a question. */
final class Draft {
  private final HttpRequest request;
  private final Route route;
  private final Target target;
  private Map<String, Object> claims = Map.of();
  private String person = "";
  private Object body;

  Draft(HttpRequest request, Route route, Target target) {
    this.request = request;
    this.route = route;
    this.target = target;
  }

  /** Finds out whom a token names. */
  void identify(Jwt jwt, TokenVerifier verifier) throws RouteException {
    String token = jwt.token(request.headers());
    try {
      claims = verifier.verify(token);
    } catch (TokenInvalidException e) {
      throw RouteException.unauthenticated(
          "The token is not valid: sign in again.", e.getMessage());
    } catch (KeysUnavailableException e) {
      throw RouteException.unavailable("It cannot be found out now who asks.", e.getMessage());
    } catch (RuntimeException e) { // its text may name persons
      String problem = "the verifier threw " + e.getClass().getSimpleName();
      throw RouteException.unavailable("It cannot be found out now who asks.", problem);
    }
    person = jwt.person(claims);
  }

  /** Finds out whom an authenticated proxy names. */
  void identify(String header) throws RouteException {
    if (!request.fromProxy().getAsBoolean()) {
      throw RouteException.unauthenticated(
          "Nobody has said who asks: the header "
              + header
              + " counts only if it comes from the proxy.",
          "");
    }
    String value = Headers.drawn(request.headers(), header);
    if (value == null) {
      throw RouteException.unauthenticated("Nobody is signed in.", "");
    }
    try {
      person = Value.text(value);
    } catch (Value.UnfitException e) {
      throw RouteException.badRequest("The header " + header + " " + e.getMessage() + ".");
    }
  }

  /** Reads what the question draws from: the query and the body. */
  void read() throws RouteException {
    if (!route.drawnQuery.isEmpty()) {
      Query.check(target.query());
      Query.checkNoForm(request.headers());
    }
    if (!route.drawsBody) {
      return;
    }
    if (request.body() == null) {
      throw RouteException.unavailable(
          "The question needs the body of the request, which is not available here.", "");
    }
    byte[] data;
    try {
      data = request.body().read(Bodies.MAX);
    } catch (IOException e) {
      throw RouteException.badRequest(
          "The body could not be read completely: send it again.", e.getClass().getSimpleName());
    }
    if (data.length > Bodies.MAX) {
      throw Bodies.tooLong();
    }
    if (data.length > 0) {
      body = Bodies.parse(data, request.headers());
      Query.checkMembers(body, route.drawnQuery);
    }
  }

  Evaluation question() throws RouteException {
    Action action =
        new Action((String) draw(route.action, Value.Form.TEXT), orNull(members(route.properties)));
    String id = (String) draw(route.resourceId, Value.Form.TEXT);
    Map<String, Object> about = members(route.resourceProperties);
    add(about, "location", route.location, Value.Form.TEXT);
    Map<String, Object> context = new LinkedHashMap<>();
    for (Map.Entry<String, Value> member : route.context.entrySet()) {
      boolean isFlag = member.getKey().equals("confirmed");
      Value.Form form = isFlag ? Value.Form.BOOLEAN : Value.Form.TEXT;
      add(context, member.getKey(), member.getValue(), form);
    }
    Entity resource = new Entity(route.resourceType, id, orNull(about));
    return new Evaluation(Entity.user(person), action, resource, context);
  }

  private static Map<String, Object> orNull(Map<String, Object> members) {
    return members.isEmpty() ? null : members;
  }

  private Map<String, Object> members(Map<String, Value> values) throws RouteException {
    Map<String, Object> drawn = new LinkedHashMap<>();
    for (Map.Entry<String, Value> member : values.entrySet()) {
      add(drawn, member.getKey(), member.getValue(), Value.Form.ANY);
    }
    return drawn;
  }

  private void add(Map<String, Object> members, String name, Value value, Value.Form form)
      throws RouteException {
    Object drawn = value == null ? null : draw(value, form);
    if (drawn != null) {
      members.put(name, drawn);
    }
  }

  /** Returns a value in its form, or null if it is optional and not there. */
  private Object draw(Value value, Value.Form form) throws RouteException {
    if (value.source() == null) {
      return value.literal();
    }
    Object drawn =
        switch (value.source()) {
          case PATH -> emptyToNull(route.template.valueOf(target.path(), value.segment()));
          case QUERY -> Query.parameter(target.query(), value.name());
          case HEADER -> Headers.drawn(request.headers(), value.name());
          case CLAIM -> claims.get(value.name());
          case BODY -> Bodies.lookUp(body, value.pointer());
        };
    if (drawn == null) {
      if (value.optional()) {
        return null;
      }
      throw fault(value, "is missing");
    }
    try {
      return Value.convert(drawn, form);
    } catch (Value.UnfitException e) {
      throw fault(value, e.getMessage());
    }
  }

  private static String emptyToNull(String text) {
    return text.isEmpty() ? null : text;
  }

  /** Returns the exception for a value that is missing or malformed. */
  private static RouteException fault(Value value, String problem) {
    String name = value.name();
    return switch (value.source()) {
      case CLAIM ->
          RouteException.unauthenticated(
              "The claim " + name + " of the token " + problem + ".", "");
      case PATH -> RouteException.badRequest("The part " + name + " of the path " + problem + ".");
      case QUERY -> RouteException.badRequest("The query parameter " + name + " " + problem + ".");
      case HEADER -> RouteException.badRequest("The header " + name + " " + problem + ".");
      case BODY ->
          RouteException.badRequest("The value at " + name + " of the body " + problem + ".");
    };
  }
}
