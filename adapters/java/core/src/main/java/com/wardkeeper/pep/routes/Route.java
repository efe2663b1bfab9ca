package com.wardkeeper.pep.routes;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A route of a file. It does not change once the file is parsed. */
public final class Route {
  String path = "";
  final List<String> methods = new ArrayList<>();
  String host = ""; // empty if any
  boolean isPublic;
  Value action;
  String resourceType = "user";
  Value resourceId;
  int index;
  int line;
  Template template = new Template(List.of());
  Map<String, Value> properties = Map.of();
  Map<String, Value> resourceProperties = Map.of();
  Value location;

  /** The members of the context, by name. */
  final Map<String, Value> context = new LinkedHashMap<>();

  boolean drawsBody;
  final List<String> drawnQuery = new ArrayList<>();

  Route() {}

  /** Returns the template, which may be logged. */
  public String path() {
    return path;
  }

  /** Returns the line in the file, or 0 where it is not known. */
  public int line() {
    return line;
  }

  /** Returns whether requests pass without being asked about. */
  public boolean isPublic() {
    return isPublic;
  }

  /** Returns the header field that confirms the question of the route; empty if none does. */
  public String confirmedBy() {
    Value confirmed = context.get("confirmed");
    boolean isHeader = confirmed != null && confirmed.source() == Value.Source.HEADER;
    return isHeader ? confirmed.name() : "";
  }

  /** Tells whether the route takes a host and a method. One for GET takes HEAD too. */
  boolean takes(String askedHost, String method) {
    if (!host.isEmpty() && !host.equals(askedHost)) {
      return false;
    }
    return methods.contains(method) || (method.equals("HEAD") && methods.contains("GET"));
  }
}
