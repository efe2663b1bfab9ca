package com.wardkeeper.pep.routes;

import com.wardkeeper.pep.http.Address;
import com.wardkeeper.pep.json.Json;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Parses route files, and collects all of their faults. */
final class FileParser {
  private static final int MAX_ROUTES = 10_000;
  private static final List<String> ROUTE_KEYS =
      List.of(
          "path",
          "host",
          "methods",
          "public",
          "action",
          "properties",
          "resource",
          "location",
          "current_location",
          "confirmed",
          "at_least");
  private static final List<String> CONTEXT = List.of("current_location", "confirmed", "at_least");
  private static final List<String> SOURCES = List.of("path", "query", "header", "claim", "body");

  final List<Fault> faults = new ArrayList<>();
  Jwt jwt;
  String header = "";
  List<String> kinds = List.of();
  final List<Route> routes = new ArrayList<>();
  final Tree tree = new Tree(0);
  private final Map<String, Integer> lines;
  private Map<String, Object> defaults = Map.of();
  private final Map<String, Route> shapes = new HashMap<>();

  FileParser(Map<String, Integer> lines) {
    this.lines = lines;
  }

  private void add(String where, String message) {
    faults.add(new Fault(where, message, lines.getOrDefault(where, 0)));
  }

  /** Parses the whole document. */
  void file(Object root) {
    Map<String, Object> keys =
        mapping(
            root,
            "",
            "the file",
            List.of("version", "subject", "supported_obligations", "defaults", "routes"));
    if (keys == null) {
      return;
    }
    if (!keys.containsKey("version")) {
      add("", "version is missing: begin the file with version: 1");
    } else if (!Long.valueOf(1).equals(keys.get("version"))) {
      add("version", "version is not 1: write version: 1, the only one that there is");
    }
    if (keys.containsKey("subject")) {
      subject(keys.get("subject"));
    }
    if (keys.containsKey("supported_obligations")) {
      obligations(keys.get("supported_obligations"));
    }
    if (keys.containsKey("defaults")) {
      defaults(keys.get("defaults"));
    }
    if (!keys.containsKey("routes")) {
      add("", "routes is missing: list at least one route");
      return;
    }
    routes(keys.get("routes"), keys.containsKey("subject"));
  }

  private void subject(Object value) {
    Map<String, Object> keys = mapping(value, "subject", "subject", List.of("jwt", "header"));
    if (keys == null) {
      return;
    }
    if (keys.containsKey("jwt") == keys.containsKey("header")) {
      add(
          "subject",
          "subject has not exactly one of jwt and header: say in one way who the person is");
    }
    if (keys.containsKey("jwt")) {
      jwt = jwt(keys.get("jwt"));
    }
    if (keys.containsKey("header")) {
      String name = text(keys.get("header"), "subject.header", "header");
      if (!name.isEmpty() && isHeaderName(name, "subject.header")) {
        header = name;
      }
    }
  }

  private Jwt jwt(Object value) {
    String where = "subject.jwt";
    List<String> known =
        List.of("keys", "keys_file", "issuer", "audience", "algorithms", "claim", "cookie");
    Map<String, Object> keys = mapping(value, where, "jwt", known);
    if (keys == null) {
      return null;
    }
    Map<String, String> texts = new HashMap<>();
    for (String name : known) {
      if (!name.equals("algorithms") && keys.containsKey(name)) {
        texts.put(name, text(keys.get(name), where + "." + name, name));
      }
    }
    for (String name : List.of("issuer", "audience", "algorithms")) {
      if (!keys.containsKey(name)) {
        add(where, name + " is missing: write what a token has to have");
      }
    }
    if (keys.containsKey("keys") == keys.containsKey("keys_file")) {
      add(
          where,
          "jwt has not exactly one of keys and keys_file: say in one way where the public keys"
              + " are");
    }
    String url = texts.getOrDefault("keys", "");
    if (!url.isEmpty() && !isKeysUrl(url)) {
      add(
          where + ".keys",
          "keys is not an https URL: write one without user, password and fragment (http only for"
              + " this machine, or use keys_file)");
    }
    String cookie = texts.getOrDefault("cookie", "");
    if (!Texts.hasOnly(cookie, "!#$&'*+-.^_`|~")) {
      add(
          where + ".cookie",
          "cookie \""
              + cookie
              + "\" is not a name of a cookie: write letters, digits, hyphens and"
              + " underscores");
    }
    return new Jwt(
        url,
        texts.getOrDefault("keys_file", ""),
        texts.getOrDefault("issuer", ""),
        texts.getOrDefault("audience", ""),
        algorithms(keys, where + ".algorithms"),
        texts.getOrDefault("claim", "sub"),
        cookie);
  }

  private List<String> algorithms(Map<String, Object> keys, String where) {
    if (!keys.containsKey("algorithms")) {
      return List.of();
    }
    if (List.of().equals(keys.get("algorithms"))) {
      add(where, "algorithms is empty: list those that the issuer signs with, such as [ES256]");
    }
    List<String> names = texts(keys.get("algorithms"), where, "algorithms", "an algorithm");
    for (String name : names) {
      if (!Jwt.ALGORITHMS.contains(name)) {
        add(
            where,
            "\""
                + name
                + "\" is not an algorithm with a public key: use "
                + String.join(", ", Jwt.ALGORITHMS));
      }
    }
    return names;
  }

  /** Tells whether this is an https URL, or an http URL of this machine. */
  static boolean isKeysUrl(String text) {
    Address address = Address.ofResource(text);
    return address != null && (address.tls() || Hosts.isLoopback(address.host()));
  }

  /**
   * Reads the kinds of obligation that the application supports. A question has only their types.
   */
  private void obligations(Object value) {
    String where = "supported_obligations";
    kinds = texts(value, where, where, "an obligation type");
    for (String kind : kinds) {
      int slash = kind.indexOf('/');
      String type = slash < 0 ? kind : kind.substring(0, slash);
      if (type.equals("custom")) {
        if (slash < 0 || slash == kind.length() - 1) {
          add(
              where,
              "the obligation custom is not supported as such: name its action, as in"
                  + " custom/confirm");
        }
      } else if (slash >= 0) {
        add(
            where,
            "\""
                + kind
                + "\" is not an obligation type: only custom has an action, as in"
                + " custom/confirm");
      }
    }
  }

  /** Reports the faults of the defaults once, rather than for each route. */
  private void defaults(Object value) {
    List<String> known = List.of("host", "current_location", "confirmed", "at_least");
    Map<String, Object> keys = mapping(value, "defaults", "defaults", known);
    if (keys == null) {
      return;
    }
    Map<String, Object> sound = new LinkedHashMap<>(keys);
    for (Map.Entry<String, Object> member : keys.entrySet()) {
      String name = member.getKey();
      String where = "defaults." + name;
      int before = faults.size();
      if (name.equals("host")) {
        host(member.getValue(), where);
      } else {
        Value found = member(new Route(), member.getValue(), where, name, formOf(name), true);
        boolean differs =
            found != null
                && (found.source() == Value.Source.PATH || found.source() == Value.Source.BODY);
        if (differs) {
          add(
              where,
              "a default draws from the "
                  + found.source().key()
                  + ", which differs between routes:"
                  + " write it in the routes that have it");
        }
      }
      if (faults.size() > before) {
        sound.remove(name);
      }
    }
    defaults = sound;
  }

  private static Value.Form formOf(String name) {
    return name.equals("confirmed") ? Value.Form.BOOLEAN : Value.Form.TEXT;
  }

  private void routes(Object value, boolean hasSubject) {
    List<Object> elements = list(value, "routes", "routes");
    if (elements == null) {
      return;
    }
    if (elements.isEmpty()) {
      add("routes", "routes is empty: list at least one route");
    }
    if (elements.size() > MAX_ROUTES) {
      add("routes", "routes has more than " + MAX_ROUTES + " routes: join those that ask the same");
      return;
    }
    boolean asking = false;
    for (int i = 0; i < elements.size(); i++) {
      int before = faults.size();
      String where = "routes[" + i + "]";
      Route route = route(elements.get(i), where);
      asking = asking || (route != null && !route.isPublic);
      if (route != null && faults.size() == before) { // else it is not known which routes it hides
        insert(route, where);
      }
    }
    if (!hasSubject && asking) {
      add("routes", "subject is missing: say who the person is, by jwt or by header");
    }
  }

  /**
   * Adds a route. Methods with which no request reaches it are faults, and other names for the
   * parameters of a template.
   */
  private void insert(Route route, String where) {
    route.index = routes.size();
    route.line = lines.getOrDefault(where, 0);
    Route other = shapes.putIfAbsent(route.template.shape(), route);
    if (other != null && !other.path.equals(route.path)) {
      add(
          where,
          "path \""
              + route.path
              + "\" differs from \""
              + other.path
              + "\" only by the names of parameters: use the same names");
      return;
    }
    Map<String, Route> taken = new LinkedHashMap<>(); // the first that takes it, by method
    tree.covering(
        route.template.segments(),
        earlier -> {
          if (!earlier.host.isEmpty() && !earlier.host.equals(route.host)) {
            return;
          }
          for (String method : route.methods) {
            Route known = taken.get(method);
            boolean isFirst = known == null || earlier.index < known.index;
            if (isFirst && earlier.takes(earlier.host, method)) {
              taken.put(method, earlier);
            }
          }
        });
    for (String method : route.methods) {
      if (taken.containsKey(method)) {
        add(
            where,
            "no "
                + method
                + " request reaches the route "
                + route.path
                + ": the route "
                + taken.get(method).path
                + " takes them first; move this one above it, or remove "
                + method
                + " here");
      }
    }
    routes.add(route);
    tree.insert(route);
  }

  private Route route(Object value, String where) {
    Map<String, Object> keys = mapping(value, where, "a route", ROUTE_KEYS);
    if (keys == null) {
      return null;
    }
    Route route = new Route();
    if (!keys.containsKey("path")) {
      add(where, "path is missing: write the template of the path, such as /users/{id}");
    } else {
      path(route, keys.get("path"), where + ".path");
    }
    if (keys.containsKey("host")) {
      route.host = host(keys.get("host"), where + ".host");
    } else {
      route.host = Json.text(defaults.get("host"));
    }
    if (keys.containsKey("methods")) {
      methods(route, keys.get("methods"), where + ".methods");
    } else {
      add(where, "methods is missing: list the methods, such as [GET]");
    }
    if (keys.containsKey("public")) {
      route.isPublic = true;
      checkPublic(keys, where);
    } else {
      question(route, keys, where);
    }
    return route;
  }

  private void path(Route route, Object value, String where) {
    String path = text(value, where, "path");
    if (path.isEmpty()) {
      return;
    }
    route.path = path;
    try {
      route.template = Template.parse(path);
    } catch (Template.FaultException e) {
      add(where, e.getMessage());
    }
  }

  private void checkPublic(Map<String, Object> keys, String where) {
    if (Boolean.FALSE.equals(bool(keys.get("public"), where + ".public", "public"))) {
      add(
          where + ".public",
          "public is false: remove it, because every other route is asked about");
    }
    for (String name : keys.keySet()) {
      if (!List.of("path", "host", "methods", "public").contains(name)) {
        add(
            where + "." + name,
            name
                + " is for routes that are asked about, but this one is public: remove one of"
                + " them");
      }
    }
  }

  private void question(Route route, Map<String, Object> keys, String where) {
    if (!keys.containsKey("action")) {
      add(where, "action is missing: name it, such as user.view, or write public: true");
    } else {
      route.action =
          member(route, keys.get("action"), where + ".action", "action", Value.Form.TEXT, false);
    }
    if (keys.containsKey("properties")) {
      route.properties =
          members(route, keys.get("properties"), where + ".properties", "properties");
    }
    if (keys.containsKey("resource")) {
      resource(route, keys.get("resource"), where + ".resource");
    } else {
      add(
          where,
          "resource is missing: say whom or what the request is about, such as {id: {path: id}}");
    }
    if (keys.containsKey("location")) {
      route.location =
          member(
              route, keys.get("location"), where + ".location", "location", Value.Form.TEXT, true);
      if (route.resourceProperties.containsKey("location")) {
        add(where + ".location", "location is a property of the resource too: write it once");
      }
    }
    for (String name : CONTEXT) {
      Value found = null;
      if (keys.containsKey(name)) {
        found = member(route, keys.get(name), where + "." + name, name, formOf(name), true);
      } else if (defaults.containsKey(name)) {
        found = member(route, defaults.get(name), where, name, formOf(name), true);
      }
      if (found != null) {
        route.context.put(name, found);
      }
    }
  }

  private void resource(Route route, Object value, String where) {
    Map<String, Object> keys =
        mapping(value, where, "resource", List.of("type", "id", "properties"));
    if (keys == null) {
      return;
    }
    if (keys.containsKey("type")) {
      route.resourceType = text(keys.get("type"), where + ".type", "type");
      checkLength(route.resourceType, where + ".type", "type");
    }
    if (!keys.containsKey("id")) {
      add(where, "id is missing: say whom or what the request is about, such as {path: id}");
    } else {
      route.resourceId = member(route, keys.get("id"), where + ".id", "id", Value.Form.TEXT, false);
    }
    if (keys.containsKey("properties")) {
      route.resourceProperties =
          members(route, keys.get("properties"), where + ".properties", "properties");
    }
  }

  private void methods(Route route, Object value, String where) {
    List<Object> elements = list(value, where, "methods");
    if (elements == null) {
      return;
    }
    if (elements.isEmpty()) {
      add(where, "methods is empty: list the methods, such as [GET]");
    }
    for (Object element : elements) {
      String method = text(element, where, "a method");
      if (method.isEmpty()) {
        continue;
      }
      if (!RouteTable.isMethod(method)) {
        add(where, "\"" + method + "\" is not a method: write it in upper case, such as GET");
      } else if (method.equals("TRACE") || method.equals("CONNECT")) {
        add(where, method + " is refused always: remove it");
      } else if (route.methods.contains(method)) {
        add(where, method + " is there twice: remove one of them");
      } else {
        route.methods.add(method);
      }
    }
  }

  // Values.

  private Map<String, Value> members(Route route, Object value, String where, String what) {
    Map<String, Object> keys = Json.object(value);
    if (keys == null) {
      add(where, what + " is not a mapping: write it as keys with values");
      return Map.of();
    }
    Map<String, Value> members = new LinkedHashMap<>();
    keys.forEach(
        (name, member) -> {
          if (name.isEmpty() || Texts.hasControl(name)) {
            add(
                where,
                "the name of a property is empty or has a control character: write another one");
            return;
          }
          Value found = member(route, member, where + "." + name, name, Value.Form.ANY, true);
          if (found != null) {
            members.put(name, found);
          }
        });
    return members;
  }

  /**
   * Parses a literal or a reference, and records in the route what it draws from. It is null if it
   * has a fault.
   */
  private Value member(
      Route route,
      Object value,
      String where,
      String what,
      Value.Form form,
      boolean mayBeOptional) {
    int before = faults.size();
    Value found;
    if (Json.object(value) != null) {
      found = reference(route, value, where);
      if (found != null && found.optional() && !mayBeOptional) {
        add(where, what + " is in every question: remove optional");
      }
    } else {
      found = Value.literal(literal(value, where, what, form));
    }
    return faults.size() == before ? found : null;
  }

  private Object literal(Object value, String where, String what, Value.Form form) {
    if (form == Value.Form.TEXT) {
      String text = text(value, where, what);
      checkLength(text, where, what);
      return text;
    }
    if (form == Value.Form.BOOLEAN) {
      return bool(value, where, what);
    }
    List<Object> elements = Json.array(value);
    if (elements == null) {
      return scalar(value, where, what);
    }
    List<Object> literals = new ArrayList<>();
    for (Object element : elements) {
      literals.add(scalar(element, where, "an element of " + what));
    }
    return literals;
  }

  private Value reference(Route route, Object value, String where) {
    int before = faults.size();
    List<String> known = new ArrayList<>(SOURCES);
    known.add("optional");
    Map<String, Object> keys = mapping(value, where, "a reference", known);
    if (keys == null || faults.size() > before) {
      return null;
    }
    boolean optional =
        keys.containsKey("optional")
            && Boolean.TRUE.equals(bool(keys.get("optional"), where + ".optional", "optional"));
    List<String> found = SOURCES.stream().filter(keys::containsKey).toList();
    if (found.size() != 1) {
      add(
          where,
          "a reference has not exactly one of path, query, header, claim and body: say in one way"
              + " where the value comes from");
      return null;
    }
    String key = found.get(0);
    String name = text(keys.get(key), where, key);
    if (name.isEmpty()) {
      return null;
    }
    Value.Source source = Value.Source.valueOf(key.toUpperCase(Locale.ROOT));
    int segment = -1;
    List<String> pointer = List.of();
    switch (source) {
      case PATH -> segment = parameter(route, name, where);
      case QUERY -> query(route, name, where);
      case HEADER -> header(name, where);
      case CLAIM -> {
        if (!header.isEmpty()) {
          add(
              where,
              "there are no claims without a token: use subject.jwt, or draw the value from"
                  + " elsewhere");
        }
      }
      case BODY -> {
        pointer = Bodies.pointer(name);
        route.drawsBody = true;
        if (pointer == null) {
          add(where, "\"" + name + "\" is not a JSON pointer: write it as /role or /items/0/id");
          return null;
        }
      }
    }
    return new Value(source, null, name, pointer, segment, optional);
  }

  private int parameter(Route route, String name, String where) {
    int segment = route.template.indexOf(name);
    if (segment < 0 && !route.template.segments().isEmpty()) { // without one, the path has a fault
      add(
          where,
          "the path has no parameter "
              + name
              + ": write {"
              + name
              + "} into it, or correct the"
              + " name");
    }
    return segment;
  }

  private void query(Route route, String name, String where) {
    boolean isName = Texts.hasOnly(name, "-._~") && !name.startsWith(".") && !name.endsWith(".");
    if (!isName) {
      add(
          where,
          "\""
              + name
              + "\" is not a name of a query parameter that every program reads alike: use"
              + " letters, digits, hyphens, underscores and dots");
      return;
    }
    if (Query.isSame(Query.METHOD_PARAMETER, name)) {
      add(
          where,
          "requests with the query parameter "
              + Query.METHOD_PARAMETER
              + " are refused: draw the value from elsewhere");
      return;
    }
    for (String other : route.drawnQuery) {
      if (!other.equals(name) && Query.isSame(other, name)) {
        add(
            where,
            "the query parameters "
                + other
                + " and "
                + name
                + " are the same to some programs: draw from one of them");
        return;
      }
    }
    route.drawnQuery.add(name);
  }

  private void header(String name, String where) {
    boolean namesPerson =
        isHeaderName(name, where)
            && !header.isEmpty()
            && Headers.folded(header).equals(Headers.folded(name));
    if (namesPerson) {
      add(where, "the header " + name + " names the person: draw the value from elsewhere");
    }
  }

  private boolean isHeaderName(String name, String where) {
    if (!Texts.hasOnly(name, "-")) {
      add(where, "\"" + name + "\" is not a name of a header: use letters, digits and hyphens");
    } else if (Headers.sameAs(name, Headers.UNDRAWABLE) != null
        || Headers.sameAs(name, Headers.REFUSED) != null) {
      add(
          where,
          "the header "
              + name
              + " cannot be drawn from: proxies act on it, or requests with it are"
              + " refused");
    } else if (Headers.isReserved(name)) {
      add(
          where,
          "the header "
              + name
              + " cannot be drawn from: requests with a header that begins with "
              + Headers.OURS
              + " are refused");
    } else if (Headers.sameAs(name, Headers.REPLACED) != null) {
      add(
          where,
          "the header " + name + " cannot be drawn from: proxies and adapters set it themselves");
    } else {
      return true;
    }
    return false;
  }

  // Nodes.

  private Map<String, Object> mapping(Object value, String where, String what, List<String> known) {
    Map<String, Object> members = Json.object(value);
    if (members == null) {
      add(where, what + " is not a mapping: write it as keys with values");
      return null;
    }
    Map<String, Object> keys = new LinkedHashMap<>();
    members.forEach(
        (key, member) -> {
          if (known.contains(key)) {
            keys.put(key, member);
          } else {
            add(
                where,
                "\"" + key + "\" is not a key of " + what + ": use " + String.join(", ", known));
          }
        });
    return keys;
  }

  private List<Object> list(Object value, String where, String what) {
    List<Object> elements = Json.array(value);
    if (elements == null) {
      add(where, what + " is not a list: write it as [A, B]");
    }
    return elements;
  }

  private List<String> texts(Object value, String where, String what, String element) {
    List<String> texts = new ArrayList<>();
    List<Object> elements = list(value, where, what);
    for (Object entry : elements == null ? List.of() : elements) {
      String text = text(entry, where, element);
      if (texts.contains(text)) {
        add(where, "\"" + text + "\" is there twice: remove one of them");
      } else if (!text.isEmpty()) {
        texts.add(text);
      }
    }
    return texts;
  }

  private String text(Object value, String where, String what) {
    if (!(value instanceof String text)) {
      add(where, what + " is not a text: put it in quotes if it is meant");
    } else if (text.isEmpty()) {
      add(where, what + " is empty: write a value, or remove the key");
    } else if (Texts.hasControl(text)) {
      add(where, what + " has a control character or is not UTF-8: remove it");
    } else {
      return text;
    }
    return "";
  }

  private Boolean bool(Object value, String where, String what) {
    if (value instanceof Boolean known) {
      return known;
    }
    add(where, what + " is neither true nor false: write one of them");
    return null;
  }

  private Object scalar(Object value, String where, String what) {
    if (value instanceof Boolean || value instanceof Number) {
      return value;
    }
    if (value instanceof Document.Odd odd && !odd.what().equals("not a text")) {
      add(where, what + " is " + odd.what() + ": write it in decimal, or put it in quotes");
      return null;
    }
    return text(value, where, what);
  }

  private void checkLength(String text, String where, String what) {
    if (Texts.utf8Length(text) > Value.MAX_NAME) {
      add(where, what + " is longer than " + Value.MAX_NAME + " bytes: shorten it");
    }
  }

  /** Parses a host, which is written as requests are compared with it. */
  private String host(Object value, String where) {
    String text = text(value, where, "host");
    if (text.isEmpty()) {
      return "";
    }
    try {
      if (Hosts.canonical(List.of(text)).equals(text)) {
        return text;
      }
    } catch (RouteException e) {
      // it is a fault as well
    }
    add(
        where,
        "host \""
            + text
            + "\" is not a host as requests are compared with it: write it in lower"
            + " case, without a port or a trailing dot");
    return "";
  }
}
