package com.wardkeeper.pep.spring;

import jakarta.servlet.http.HttpServletRequest;

/**
 * Tells whether a request comes from an authenticated proxy. Only such a request may name the
 * person in the header field of the route file.
 */
@FunctionalInterface
public interface ProxyProof {
  /** Reports whether there is a proof, such as a client certificate: an address is none. */
  boolean isFromProxy(HttpServletRequest request);
}
