package com.wardkeeper.pep.routes;

import java.io.IOException;
import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * A request to resolve. An adapter passes on what it received, unchanged.
 *
 * @param method the method
 * @param target the request target as it was received: path and query, still encoded
 * @param host every value of the Host field
 * @param headers the other fields
 * @param path the decoded path that the application gets, which has to be what the target means;
 *     null where there is no application that decodes
 * @param body reads the body; null where that is not possible, so that requests whose question
 *     draws from it are refused
 * @param fromProxy whether the sender is an authenticated proxy: only then may a field name the
 *     person
 */
public record HttpRequest(
    String method,
    String target,
    List<String> host,
    List<Header> headers,
    String path,
    Body body,
    BooleanSupplier fromProxy) {
  /** Reads a body. It is called at most once, and only if the question draws from the body. */
  @FunctionalInterface
  public interface Body {
    /**
     * Returns the whole body, or the first {@code limit + 1} bytes of one that is longer.
     *
     * @throws IOException if it cannot be read completely
     */
    byte[] read(int limit) throws IOException;
  }

  /** Returns the values of a field, by its name in lower case. */
  public List<String> values(String name) {
    return headers.stream()
        .filter(header -> header.name().equalsIgnoreCase(name))
        .map(Header::value)
        .toList();
  }
}
