package com.wardkeeper.pep.routes;

import com.wardkeeper.pep.routes.Template.Kind;
import com.wardkeeper.pep.routes.Template.Segment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** Finds the first route that matches a request. A node stands for the segments that lead to it. */
final class Tree {
  private final int first; // the lowest index of a route here or below
  private final Map<String, Tree> literals = new HashMap<>();
  private Tree parameter;
  private final List<Route> ends =
      new ArrayList<>(); // whose template ends here, in the file's order
  private final List<Route> rests =
      new ArrayList<>(); // whose template goes on with a rest, likewise

  Tree(int first) {
    this.first = first;
  }

  /** Adds a route. Routes come in the file's order. */
  void insert(Route route) {
    Tree node = this;
    for (Segment segment : route.template.segments()) {
      if (segment.kind() == Kind.REST) {
        node.rests.add(route);
        return;
      }
      node = node.child(segment, route.index);
    }
    node.ends.add(route);
  }

  private Tree child(Segment segment, int index) {
    if (segment.kind() == Kind.LITERAL) {
      return literals.computeIfAbsent(segment.text(), text -> new Tree(index));
    }
    if (parameter == null) {
      parameter = new Tree(index);
    }
    return parameter;
  }

  /**
   * Returns the first route that matches the rest of a path: {@code best}, which may be null, or
   * one before it.
   */
  Route find(List<String> parts, String host, String method, Route best) {
    if (best != null && best.index < first) {
      return best;
    }
    if (parts.isEmpty()) {
      return earliest(ends, host, method, best);
    }
    Route found = earliest(rests, host, method, best);
    String part = parts.get(0);
    List<String> rest = parts.subList(1, parts.size());
    Tree literal = literals.get(part);
    if (literal != null) {
      found = literal.find(rest, host, method, found);
    }
    if (parameter != null && !part.isEmpty()) {
      found = parameter.find(rest, host, method, found);
    }
    return found;
  }

  private static Route earliest(List<Route> candidates, String host, String method, Route best) {
    for (Route route : candidates) {
      if (best != null && route.index > best.index) {
        return best;
      }
      if (route.takes(host, method)) {
        return route;
      }
    }
    return best;
  }

  /** Visits each route whose template matches every path that the segments match. */
  void covering(List<Segment> segments, Consumer<Route> visit) {
    if (segments.isEmpty()) {
      ends.forEach(visit);
      return;
    }
    rests.forEach(visit);
    Segment next = segments.get(0);
    List<Segment> rest = segments.subList(1, segments.size());
    Tree literal = next.kind() == Kind.LITERAL ? literals.get(next.text()) : null;
    if (literal != null) {
      literal.covering(rest, visit);
    }
    boolean isOne =
        next.kind() == Kind.PARAMETER || (next.kind() == Kind.LITERAL && !next.text().isEmpty());
    if (parameter != null && isOne) {
      parameter.covering(rest, visit);
    }
  }
}
