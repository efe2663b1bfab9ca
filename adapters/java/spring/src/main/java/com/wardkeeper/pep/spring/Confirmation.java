package com.wardkeeper.pep.spring;

import jakarta.servlet.http.HttpServletRequest;

/**
 * Tells whether the person has been shown what has to be confirmed, and sends the request again. It
 * holds for one question of the request alone: the first that has to be confirmed.
 */
@FunctionalInterface
public interface Confirmation {
  /** By the header field {@code X-Confirmed: true}. */
  Confirmation BY_HEADER = request -> "true".equals(request.getHeader(Wardkeeper.CONFIRMED));

  /** Reports whether the request confirms. */
  boolean isIn(HttpServletRequest request);
}
