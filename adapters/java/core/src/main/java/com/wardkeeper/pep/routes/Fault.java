package com.wardkeeper.pep.routes;

/**
 * A mistake in a route file.
 *
 * @param where the place, such as {@code routes[3].methods}; empty for the file
 * @param message what is wrong, and what to do
 * @param line from 1; 0 where it is not known, as in JSON
 */
public record Fault(String where, String message, int line) {
  @Override
  public String toString() {
    return (line > 0 ? "line " + line + ": " : "")
        + (where.isEmpty() ? "" : where + ": ")
        + message;
  }
}
