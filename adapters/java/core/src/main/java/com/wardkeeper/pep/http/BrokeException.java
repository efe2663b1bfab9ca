package com.wardkeeper.pep.http;

/** An established connection broke before an answer began. */
final class BrokeException extends Exception {
  private static final long serialVersionUID = 1L;

  BrokeException() {
    super("the decision point broke off the connection");
  }
}
