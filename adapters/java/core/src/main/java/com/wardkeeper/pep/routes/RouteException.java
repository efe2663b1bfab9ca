package com.wardkeeper.pep.routes;

/**
 * Says why a request could not be resolved. The message is one sentence that may be sent to the
 * person. It has names of the route file, but no value of the request.
 */
public final class RouteException extends Exception {
  private static final long serialVersionUID = 1L;
  private final int status;
  private final String problem;

  private RouteException(int status, String message, String problem) {
    super(message);
    this.status = status;
    this.problem = problem;
  }

  /** The request has no single meaning, or lacks a value. */
  static RouteException badRequest(String message) {
    return new RouteException(400, message, "");
  }

  /** The request could not be read. */
  static RouteException badRequest(String message, String problem) {
    return new RouteException(400, message, problem);
  }

  /** The person is not known. */
  static RouteException unauthenticated(String message, String problem) {
    return new RouteException(401, message, problem);
  }

  /** What the request means, or who asks, cannot be found out now. */
  static RouteException unavailable(String message, String problem) {
    return new RouteException(503, message, problem);
  }

  /** Returns 400, 401 or 503. */
  public int status() {
    return status;
  }

  /** Returns what went wrong, for the log. It names nobody, and may be empty. */
  public String problem() {
    return problem;
  }
}
