package com.wardkeeper.pep.spring;

import jakarta.servlet.http.HttpServletRequest;
import java.util.Map;

/** Says what else counts for the questions about a request, such as where the person stands. */
@FunctionalInterface
public interface Place {
  /**
   * Returns the members of the context, such as {@code current_location}. If it throws, there is no
   * answer.
   */
  Map<String, Object> of(HttpServletRequest request);
}
