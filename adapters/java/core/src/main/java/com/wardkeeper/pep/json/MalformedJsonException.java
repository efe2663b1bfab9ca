package com.wardkeeper.pep.json;

/**
 * A text is not JSON as RFC 7493 demands. The message is a sentence without any part of the text.
 */
public final class MalformedJsonException extends Exception {
  private static final long serialVersionUID = 1L;

  MalformedJsonException(String message) {
    super(message);
  }
}
