package com.wardkeeper.pep;

import com.wardkeeper.pep.identity.JwtVerifier;
import com.wardkeeper.pep.identity.TokenInvalidException;
import com.wardkeeper.pep.identity.TokenVerifier;
import com.wardkeeper.pep.routes.HttpRequest;
import com.wardkeeper.pep.routes.Resolution;
import com.wardkeeper.pep.routes.Route;
import com.wardkeeper.pep.routes.RouteException;
import com.wardkeeper.pep.routes.RouteTable;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Checks HTTP requests: finds out by the route file what one means, asks, and tells whether it may
 * pass. Several threads can use it at the same time. It sends no response.
 */
public final class Checker {
  private static final Logger LOG = System.getLogger("com.wardkeeper.pep");

  private final RouteTable table;
  private final TokenVerifier verifier;
  private final Enforcer enforcer;
  private final boolean tells;

  private Checker(RouteTable table, Enforcer enforcer, TokenVerifier verifier, boolean tells) {
    this.table = table;
    this.enforcer = enforcer;
    this.verifier = verifier;
    this.tells = tells;
  }

  /**
   * Checks requests to an application that does its obligations by the handlers of an enforcer.
   * Tokens are verified as the route file says.
   */
  public static Checker of(RouteTable table, Enforcer enforcer) {
    return new Checker(table, enforcer, verifierOf(table), false);
  }

  /** Checks requests with a verifier in place of one with the settings of the route file. */
  public static Checker of(RouteTable table, Enforcer enforcer, TokenVerifier verifier) {
    return new Checker(table, enforcer, verifier, false);
  }

  /**
   * Checks requests to an application behind a proxy, which is told of its obligations ({@link
   * CheckResult#fields}) and does those that the route file names.
   */
  public static Checker telling(RouteTable table, Decider decider) {
    Map<String, Handler> handlers = new HashMap<>();
    table.supportedObligations().forEach(kind -> handlers.put(kind, Handler.shown()));
    return new Checker(table, new Enforcer(decider, handlers), verifierOf(table), true);
  }

  private static TokenVerifier verifierOf(RouteTable table) {
    if (table.jwt() != null) {
      return new JwtVerifier(table.jwt());
    }
    return token -> {
      throw new TokenInvalidException("the route file has no token");
    };
  }

  /**
   * Returns the enforcer, for questions that are not about a request, such as what a page offers.
   */
  public Enforcer enforcer() {
    return enforcer;
  }

  /** Tells whether a request may pass. It does not throw. */
  public CheckResult check(HttpRequest request) {
    Trace trace = Trace.of(request::values);
    AtomicReference<Route> matched = new AtomicReference<>();
    try (Trace.Scope scope = trace.use()) {
      Resolution meaning = table.resolve(request, verifier, matched::set);
      if (meaning.question() != null) {
        return asked(meaning, trace);
      }
      if (meaning.route() == null) {
        return refused(Refusal.noRoute(), "", null, trace);
      }
      Optional<Route> route = Optional.of(meaning.route());
      return new CheckResult(
          Optional.empty(), "", Optional.empty(), Optional.empty(), route, trace);
    } catch (RouteException e) {
      return refused(refusalOf(e), e.problem(), matched.get(), trace);
    } catch (RuntimeException | StackOverflowError e) { // its text may name persons
      String problem = "the check threw " + e.getClass().getSimpleName();
      return refused(Refusal.unavailable(), problem, matched.get(), trace);
    }
  }

  private CheckResult asked(Resolution meaning, Trace trace) {
    Evaluation question = meaning.question();
    Outcome outcome = enforcer.enforce(question);
    Optional<Refusal> refusal = Optional.empty();
    if (!outcome.permitted()) {
      refusal = Optional.of(outcome.refusal().withRequestId(trace.requestId()));
      logUntold(outcome, trace);
      log(refusal.get(), outcome.error(), meaning.route());
    }
    return new CheckResult(
        refusal,
        question.subject().id(),
        Optional.of(outcome),
        Optional.of(question),
        Optional.of(meaning.route()),
        trace);
  }

  private static CheckResult refused(Refusal refusal, String problem, Route route, Trace trace) {
    Refusal identified = refusal.withRequestId(trace.requestId());
    log(identified, problem, route);
    return new CheckResult(
        Optional.of(identified),
        "",
        Optional.empty(),
        Optional.empty(),
        Optional.ofNullable(route),
        trace);
  }

  private static Refusal refusalOf(RouteException problem) {
    return switch (problem.status()) {
      case 400 -> Refusal.badRequest(problem.getMessage());
      case 401 -> Refusal.unauthenticated(problem.getMessage());
      default -> Refusal.unavailable(problem.getMessage());
    };
  }

  /** Logs a refusal, and names nobody (PEP-11): the route in place of the path, and no reasons. */
  private static void log(Refusal refusal, String problem, Route route) {
    say(
        refusal.status() == 503 ? Level.WARNING : Level.INFO,
        "a request was refused: status={0} code={1} request_id={2} route=\"{3}\" error=\"{4}\"",
        String.valueOf(refusal.status()),
        refusal.code(),
        refusal.requestId(),
        route == null ? "" : route.path(),
        problem);
  }

  /** Logs the obligations of a denial, of which an application behind a proxy is not told. */
  private void logUntold(Outcome outcome, Trace trace) {
    if (!tells || outcome.verdict() != Verdict.DENIED) {
      return;
    }
    for (Obligation obligation : outcome.obligations()) {
      say(
          Level.WARNING,
          "an obligation of a denial was not done: request_id={0} obligation=\"{1}\"",
          trace.requestId(),
          obligation.id());
    }
  }

  /**
   * Logs the obligations that were not done after an action. The application has to repeat them.
   */
  public static void logUndone(List<String> failed, Trace trace) {
    for (String problem : failed) {
      say(
          Level.ERROR,
          "an obligation was not done: request_id={0} error={1}",
          trace.requestId(),
          problem);
    }
  }

  /** Logs. A logger that throws changes no answer. */
  private static void say(Level level, String text, Object... parameters) {
    try {
      LOG.log(level, text, parameters);
    } catch (RuntimeException e) {
      // there is no other place to tell it
    }
  }
}
