package com.wardkeeper.pep.http;

import com.wardkeeper.pep.TimedOutException;
import java.time.Duration;

/**
 * When a call has to have ended.
 *
 * @param at as {@link System#nanoTime} has it
 */
public record Deadline(long at) {
  /** Returns the time after a duration from now. */
  public static Deadline after(Duration duration) {
    return new Deadline(System.nanoTime() + duration.toNanos());
  }

  /**
   * Returns the nanoseconds left.
   *
   * @throws TimedOutException if there are none
   */
  public long nanos() {
    long left = at - System.nanoTime();
    if (left <= 0) {
      throw new TimedOutException();
    }
    return left;
  }

  /** Returns the milliseconds left, at least 1. */
  long millis() {
    return nanos() / 1_000_000 + 1;
  }
}
