package com.wardkeeper.pep;

import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.List;
import java.util.function.Function;

/**
 * Identifies the request of a person on whose behalf questions are asked. It is passed on to the
 * decision point (PEP-7).
 *
 * @param requestId the id; empty outside of a request
 * @param traceparent as it came, or empty
 * @param tracestate as it came, or empty
 */
public record Trace(String requestId, String traceparent, String tracestate) {
  private static final int MAX_ID = 128;
  private static final int MAX_STATE = 2 << 10; // at least 512 have to be passed on
  private static final Trace NONE = new Trace("", "", "");
  private static final ThreadLocal<Trace> CURRENT = ThreadLocal.withInitial(() -> NONE);
  private static final SecureRandom RANDOM = new SecureRandom();

  /**
   * Returns the trace of a request. If that does not have exactly one id that can be logged and
   * passed on, one is made. Several parents are none, and without a parent there is no state.
   *
   * @param values returns the values of a header field by its name in lower case
   */
  public static Trace of(Function<String, List<String>> values) {
    List<String> ids = values.apply("x-request-id");
    String id = ids.size() == 1 && isId(ids.get(0)) ? ids.get(0) : made();
    List<String> parents = values.apply("traceparent");
    if (parents.size() != 1 || !isId(parents.get(0)) || parents.get(0).indexOf(',') >= 0) {
      return new Trace(id, "", "");
    }
    return new Trace(id, parents.get(0), state(values.apply("tracestate")));
  }

  private static String state(List<String> fields) {
    StringBuilder state = new StringBuilder();
    for (String field : fields) {
      String stripped = stripped(field);
      if (!stripped.isEmpty()) {
        state.append(state.isEmpty() ? "" : ",").append(stripped);
      }
    }
    boolean isPassedOn = state.length() <= MAX_STATE;
    for (int i = 0; isPassedOn && i < state.length(); i++) {
      char c = state.charAt(i);
      isPassedOn = (c >= ' ' && c <= '~') || c == '\t';
    }
    return isPassedOn ? state.toString() : "";
  }

  private static String stripped(String text) {
    int start = 0;
    int end = text.length();
    while (start < end && " \t,".indexOf(text.charAt(start)) >= 0) {
      start++;
    }
    while (start < end && " \t,".indexOf(text.charAt(end - 1)) >= 0) {
      end--;
    }
    return text.substring(start, end);
  }

  private static boolean isId(String text) {
    for (int i = 0; i < text.length(); i++) {
      if (text.charAt(i) <= ' ' || text.charAt(i) > '~') {
        return false;
      }
    }
    return !text.isEmpty() && text.length() <= MAX_ID;
  }

  private static String made() {
    byte[] id = new byte[16];
    RANDOM.nextBytes(id);
    return HexFormat.of().formatHex(id);
  }

  /** Returns the trace of the request that this thread handles. It is empty outside of one. */
  public static Trace current() {
    return CURRENT.get();
  }

  /** Passes the trace on with the questions that this thread asks until the scope is closed. */
  public Scope use() {
    Trace before = CURRENT.get();
    CURRENT.set(this);
    return () -> {
      if (before.equals(NONE)) {
        CURRENT.remove();
      } else {
        CURRENT.set(before);
      }
    };
  }

  /** Ends the use of a trace. */
  public interface Scope extends AutoCloseable {
    @Override
    void close();
  }
}
