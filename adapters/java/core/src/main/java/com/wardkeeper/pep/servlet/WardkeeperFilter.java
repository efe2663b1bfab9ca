package com.wardkeeper.pep.servlet;

import com.wardkeeper.pep.CheckResult;
import com.wardkeeper.pep.Checker;
import com.wardkeeper.pep.Outcome;
import com.wardkeeper.pep.Refusal;
import com.wardkeeper.pep.RefusedException;
import com.wardkeeper.pep.Trace;
import com.wardkeeper.pep.routes.Header;
import com.wardkeeper.pep.routes.HttpRequest;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.Filter;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/**
 * Lets requests pass only if the decision point allows them, by the route file of a {@link
 * Checker}. Map it to {@code /*}, before what could act on a request.
 *
 * <p>It also answers with the refusal of a {@link RefusedException} that the application throws,
 * and runs what is due after an action once the application has answered with a status below 400.
 */
public final class WardkeeperFilter implements Filter {
  private static final String RESULT = WardkeeperFilter.class.getName() + ".result";
  private static final String TRACE = WardkeeperFilter.class.getName() + ".trace";
  private static final String OUTCOMES = WardkeeperFilter.class.getName() + ".outcomes";

  private final Checker checker; // null if the application asks itself
  private final Predicate<HttpServletRequest> fromProxy;

  /** Checks requests. None comes from a proxy that could name the person. */
  public WardkeeperFilter(Checker checker) {
    this(checker, request -> false);
  }

  /**
   * Checks requests.
   *
   * @param checker says what requests mean, and asks
   * @param fromProxy tells whether a request comes from an authenticated proxy. Only such a request
   *     may name the person in a field. It needs a proof, such as a client certificate: an address
   *     is none
   */
  public WardkeeperFilter(Checker checker, Predicate<HttpServletRequest> fromProxy) {
    this.checker = checker;
    this.fromProxy = fromProxy;
  }

  private WardkeeperFilter() {
    this.checker = null;
    this.fromProxy = request -> false;
  }

  /**
   * Returns a filter for an application that asks itself: it checks nothing, but passes the trace
   * on, answers refusals, and runs what is due after an action.
   */
  public static WardkeeperFilter forQuestionsInCode() {
    return new WardkeeperFilter();
  }

  /**
   * Returns the result of checking a request.
   *
   * @throws IllegalStateException if no filter has checked it
   */
  public static CheckResult resultOf(ServletRequest request) {
    if (request.getAttribute(RESULT) instanceof CheckResult result) {
      return result;
    }
    throw new IllegalStateException("no filter with a route file has checked this request");
  }

  /**
   * Returns what identifies a request, in whatever thread. It is empty if no filter has seen it.
   */
  public static Trace traceOf(ServletRequest request) {
    return request.getAttribute(TRACE) instanceof Trace trace ? trace : Trace.current();
  }

  /** Reports whether a route file has judged a request. */
  public static boolean isChecked(ServletRequest request) {
    return request.getAttribute(RESULT) != null;
  }

  /** Runs what is due after an action once a request has been answered with a status below 400. */
  public static void after(ServletRequest request, Outcome outcome) {
    outcomes(request).add(outcome);
  }

  /** Reports whether a filter will run what is due after an action. */
  public static boolean isOn(ServletRequest request) {
    return request.getAttribute(OUTCOMES) != null;
  }

  @SuppressWarnings("unchecked")
  private static List<Outcome> outcomes(ServletRequest request) {
    if (request.getAttribute(OUTCOMES) instanceof List<?> outcomes) {
      return (List<Outcome>) outcomes;
    }
    throw new IllegalStateException("no filter would run what is due after the action");
  }

  @Override
  public void doFilter(ServletRequest received, ServletResponse answer, FilterChain chain)
      throws IOException, ServletException {
    if (!(received instanceof HttpServletRequest request)
        || !(answer instanceof HttpServletResponse response)) {
      throw new ServletException("only HTTP can be checked");
    }
    boolean isFirst = request.getDispatcherType() == DispatcherType.REQUEST;
    if (!isFirst && isOn(request)) { // a part of a request that was checked
      chain.doFilter(request, response);
      return;
    }
    request.setAttribute(OUTCOMES, Collections.synchronizedList(new ArrayList<Outcome>()));
    RewoundRequest rewound = new RewoundRequest(request);
    Trace trace;
    if (checker == null) {
      trace = Trace.of(name -> Collections.list(request.getHeaders(name)));
    } else {
      CheckResult result = checker.check(requestOf(rewound));
      if (!result.passes()) {
        refuse(result.refusal().orElseThrow(), request, response);
        return;
      }
      request.setAttribute(RESULT, result);
      result.outcome().ifPresent(outcome -> after(request, outcome));
      trace = result.trace();
    }
    request.setAttribute(TRACE, trace);
    try (Trace.Scope scope = trace.use()) {
      proceed(rewound, response, chain, trace);
    }
  }

  private static void proceed(
      HttpServletRequest request, HttpServletResponse response, FilterChain chain, Trace trace)
      throws IOException, ServletException {
    try {
      chain.doFilter(request, response);
    } catch (RefusedException e) {
      refuse(e.refusal().withRequestId(trace.requestId()), request, response);
      return;
    } catch (ServletException e) {
      RefusedException refused = refusedIn(e);
      if (refused == null) {
        throw e;
      }
      refuse(refused.refusal().withRequestId(trace.requestId()), request, response);
      return;
    }
    if (request.isAsyncStarted()) {
      request.getAsyncContext().addListener(new LaterAnswer(() -> done(request, response, trace)));
    } else {
      done(request, response, trace);
    }
  }

  private static RefusedException refusedIn(ServletException e) {
    Throwable cause = e;
    for (int depth = 0; cause != null && depth < 16; depth++) {
      if (cause instanceof RefusedException refused) {
        return refused;
      }
      cause = cause.getCause();
    }
    return null;
  }

  private static void done(HttpServletRequest request, HttpServletResponse response, Trace trace) {
    if (response.getStatus() < 400) {
      for (Outcome outcome : List.copyOf(outcomes(request))) {
        Checker.logUndone(outcome.done(), trace);
      }
    }
  }

  /** Answers with a refusal. */
  public static void refuse(
      Refusal refusal, HttpServletRequest request, HttpServletResponse response)
      throws IOException {
    if (response.isCommitted()) {
      throw new IOException("a part of the answer has been sent before the request was refused");
    }
    response.reset();
    String accept = String.join(",", Collections.list(request.getHeaders("Accept")));
    byte[] body = refusal.body(accept);
    response.setStatus(refusal.status());
    for (Map.Entry<String, String> field : refusal.fields().entrySet()) {
      response.setHeader(field.getKey(), field.getValue());
    }
    response.setContentType(refusal.contentType(accept));
    response.setContentLength(body.length);
    if (!request.getMethod().equals("HEAD")) {
      response.getOutputStream().write(body);
    }
  }

  /** Returns what was received. If the body is read, the application reads the same bytes. */
  private HttpRequest requestOf(RewoundRequest request) {
    List<Header> headers = new ArrayList<>();
    List<String> host = new ArrayList<>();
    for (String name : Collections.list(request.getHeaderNames())) {
      for (String value : Collections.list(request.getHeaders(name))) {
        if (name.equalsIgnoreCase("host")) {
          host.add(value);
        } else {
          headers.add(new Header(name, value));
        }
      }
    }
    String query = request.getQueryString();
    return new HttpRequest(
        request.getMethod(),
        request.getRequestURI() + (query == null ? "" : "?" + query),
        host,
        headers,
        pathOf(request),
        request::body,
        () -> fromProxy.test(request));
  }

  /** Returns the path by which the server routes, decoded. */
  private static String pathOf(HttpServletRequest request) {
    String rest = request.getPathInfo();
    return request.getServletContext().getContextPath()
        + request.getServletPath()
        + (rest == null ? "" : rest);
  }
}
