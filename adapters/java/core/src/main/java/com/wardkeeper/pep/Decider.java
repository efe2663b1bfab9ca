package com.wardkeeper.pep;

import java.util.List;

/** Answers questions. {@link Client} does so over HTTP. */
@FunctionalInterface
public interface Decider {
  /**
   * Answers every question, in order.
   *
   * @throws NoAnswerException if no question has been answered
   */
  List<Response> decide(List<Evaluation> questions);
}
