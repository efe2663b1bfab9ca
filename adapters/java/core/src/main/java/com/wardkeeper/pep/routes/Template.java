package com.wardkeeper.pep.routes;

import java.util.ArrayList;
import java.util.List;

/**
 * A template of paths, such as {@code /users/{id}/files/{path...}}. That of "/" has one segment,
 * the empty literal.
 */
record Template(List<Segment> segments) {
  private static final int MAX_SEGMENTS = 64;

  enum Kind {
    LITERAL,
    PARAMETER,
    REST
  }

  record Segment(Kind kind, String text) {}

  /** A text is not a template. */
  static final class FaultException extends Exception {
    private static final long serialVersionUID = 1L;

    FaultException(String message) {
      super(message);
    }
  }

  static Template parse(String text) throws FaultException {
    if (!text.startsWith("/")) {
      throw new FaultException(
          "path \"" + text + "\" does not begin with a slash: write it as /users/{id}");
    }
    if (Texts.utf8Length(text) > Target.MAX) {
      throw new FaultException("path is longer than " + Target.MAX + " bytes: shorten it");
    }
    String[] parts = text.substring(1).split("/", -1);
    if (parts.length > MAX_SEGMENTS) {
      throw new FaultException("path has more than " + MAX_SEGMENTS + " segments: shorten it");
    }
    String where = "path \"" + text + "\"";
    Template template = new Template(new ArrayList<>());
    StringBuilder example = new StringBuilder();
    for (int i = 0; i < parts.length; i++) {
      Segment segment = segment(parts[i], where);
      if (segment.kind == Kind.REST && i < parts.length - 1) {
        throw new FaultException(
            where
                + ": {"
                + segment.text
                + "...} takes the rest of a path: make it the last segment");
      }
      if (segment.kind != Kind.LITERAL && template.indexOf(segment.text) >= 0) {
        throw new FaultException(
            where + ": the parameter " + segment.text + " is there twice: rename one of them");
      }
      template.segments.add(segment);
      example.append('/').append(segment.kind == Kind.LITERAL ? segment.text : "x");
    }
    try {
      Target.checkSegments(example.toString());
    } catch (RouteException e) {
      throw new FaultException(
          where + " matches no request, because such requests are refused: " + e.getMessage());
    }
    return template;
  }

  private static Segment segment(String part, String where) throws FaultException {
    if (part.length() >= 2 && part.startsWith("{") && part.endsWith("}")) {
      boolean rest = part.endsWith("...}");
      String name = part.substring(1, part.length() - (rest ? 4 : 1));
      boolean isName =
          !name.isEmpty() && Texts.hasOnly(name, "_") && !Character.isDigit(name.charAt(0));
      if (!isName) {
        throw new FaultException(
            where
                + ": {"
                + name
                + "} is not a parameter: name it with letters, digits and underscores");
      }
      return new Segment(rest ? Kind.REST : Kind.PARAMETER, name);
    }
    for (int i = 0; i < part.length(); i++) {
      char c = part.charAt(i);
      if (c == '{' || c == '}') {
        throw new FaultException(where + ": a parameter is a whole segment: put slashes around it");
      }
      if (c == '%') {
        throw new FaultException(
            where + ": it has a percent sign: write the character itself that is meant");
      }
      if (";?#\\".indexOf(c) >= 0) {
        throw new FaultException(
            where + ": it has \"" + c + "\", which no accepted request has in its path: remove it");
      }
    }
    return new Segment(Kind.LITERAL, part);
  }

  /** Returns the index of the segment with a parameter, or -1. */
  int indexOf(String parameter) {
    for (int i = 0; i < segments.size(); i++) {
      if (segments.get(i).kind != Kind.LITERAL && segments.get(i).text.equals(parameter)) {
        return i;
      }
    }
    return -1;
  }

  /** Returns the value of a segment in a path that matches; for a rest, all that follows. */
  String valueOf(String path, int index) {
    String[] parts = path.substring(1).split("/", -1);
    if (segments.get(index).kind != Kind.REST) {
      return parts[index];
    }
    return String.join("/", List.of(parts).subList(index, parts.length));
  }

  /**
   * Returns a text that two templates share exactly if they differ at most in the names of their
   * parameters.
   */
  String shape() {
    StringBuilder shape = new StringBuilder();
    for (Segment segment : segments) {
      shape.append('/');
      shape.append(
          switch (segment.kind) {
            case LITERAL -> segment.text;
            case PARAMETER -> "{}";
            case REST -> "{...}";
          });
    }
    return shape.toString();
  }
}
