package com.wardkeeper.pep.spring;

import com.wardkeeper.pep.Action;
import com.wardkeeper.pep.Enforcer;
import com.wardkeeper.pep.Entity;
import com.wardkeeper.pep.Evaluation;
import com.wardkeeper.pep.Outcome;
import com.wardkeeper.pep.Refusal;
import com.wardkeeper.pep.RefusedException;
import com.wardkeeper.pep.Search;
import com.wardkeeper.pep.Trace;
import com.wardkeeper.pep.Verdict;
import com.wardkeeper.pep.servlet.WardkeeperFilter;
import jakarta.servlet.http.HttpServletRequest;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;
import org.springframework.security.authentication.AnonymousAuthenticationToken;
import org.springframework.security.authorization.AuthorizationDecision;
import org.springframework.security.authorization.AuthorizationManager;
import org.springframework.security.core.Authentication;
import org.springframework.security.core.context.SecurityContextHolder;
import org.springframework.security.web.access.intercept.RequestAuthorizationContext;
import org.springframework.web.context.request.RequestContextHolder;
import org.springframework.web.context.request.ServletRequestAttributes;

/**
 * Asks what the person may do who is signed in with Spring Security. It is a bean of that name:
 *
 * <pre>{@code
 * @PreAuthorize("@wardkeeper.may('user.view', #id)")
 * }</pre>
 *
 * <p>Several threads can use it at the same time. A question is enforced once in a request, however
 * often it is asked. What is due after the action runs once the request has been answered with a
 * status below 400; outside of a request nothing would run it, so that is a denial, and no {@link
 * Place} is known.
 */
public final class Wardkeeper {
  /**
   * The header field with which the person confirms: the question is asked again with {@code true}.
   */
  public static final String CONFIRMED = "X-Confirmed";

  private static final Logger LOG = System.getLogger("com.wardkeeper.pep");
  private static final String ASKED = Wardkeeper.class.getName() + ".asked";

  private final Enforcer enforcer;
  private final Place place;
  private final Confirmation confirmation;

  /**
   * Asks with an enforcer.
   *
   * @param enforcer asks, and does what obliges
   * @param place says what else counts
   * @param confirmation tells whether a request confirms
   */
  public Wardkeeper(Enforcer enforcer, Place place, Confirmation confirmation) {
    this.enforcer = enforcer;
    this.place = place;
    this.confirmation = confirmation;
  }

  /** What was asked in a request, and which question was confirmed. */
  private static final class Asked {
    private final Map<Evaluation, Outcome> outcomes = new LinkedHashMap<>();
    private Evaluation confirmed;

    synchronized Outcome of(Evaluation question, Supplier<Outcome> asking) {
      Outcome known = outcomes.get(question);
      if (known == null) {
        known = asking.get();
        outcomes.put(question, known);
      }
      return known;
    }

    /**
     * Tells whether a request confirms a question: it does so for the first alone that has to be
     * confirmed, whose warnings were shown.
     */
    synchronized boolean confirms(Evaluation question) {
      if (confirmed == null) {
        confirmed = question;
      }
      return confirmed.equals(question);
    }
  }

  /** Decides whether the person may do an action to a user. */
  public AuthorizationDecision may(String action, String user) {
    return decide(
        SecurityContextHolder.getContext().getAuthentication(),
        new Action(action),
        Entity.user(user));
  }

  /** Decides whether the person may do an action to a user at a location. */
  public AuthorizationDecision may(String action, String user, String location) {
    return may(new Action(action), Entity.user(user).with("location", location));
  }

  /** Decides whether the person may do an action to a resource. */
  public AuthorizationDecision may(Action action, Entity resource) {
    return decide(SecurityContextHolder.getContext().getAuthentication(), action, resource);
  }

  /**
   * Returns the manager for requests whose question is about the user whom a variable of their
   * pattern names: {@code requestMatchers("/users/{id}").access(wardkeeper.access("user.view",
   * "id"))}.
   */
  public AuthorizationManager<RequestAuthorizationContext> access(String action, String variable) {
    return new Access(this, new Action(action), variable);
  }

  /** Asks for the requests of a pattern. It has the method of Spring Security 7 too. */
  private record Access(Wardkeeper wardkeeper, Action action, String variable)
      implements AuthorizationManager<RequestAuthorizationContext> {
    @Override
    @SuppressWarnings("deprecation") // Spring Security 6 has no other that is abstract
    public AuthorizationDecision check(
        Supplier<Authentication> person, RequestAuthorizationContext context) {
      return authorize(person, context);
    }

    @Override
    public AuthorizationDecision authorize(
        Supplier<Authentication> person, RequestAuthorizationContext context) {
      String user = context.getVariables().get(variable);
      if (user == null || user.isEmpty()) {
        return CheckedDecision.refused(Refusal.noRoute());
      }
      return wardkeeper.decide(person.get(), action, Entity.user(user), context.getRequest());
    }
  }

  private CheckedDecision decide(Authentication person, Action action, Entity resource) {
    return decide(person, action, resource, currentRequest());
  }

  private CheckedDecision decide(
      Authentication person, Action action, Entity resource, HttpServletRequest request) {
    if (!isSignedIn(person)) {
      return CheckedDecision.refused(Refusal.unauthenticated("Sign in first."));
    }
    Outcome outcome;
    Trace trace = request == null ? Trace.current() : WardkeeperFilter.traceOf(request);
    try (Trace.Scope scope = trace.use()) {
      outcome = enforced(question(person, action, resource, request), request);
    } catch (RuntimeException e) { // of the function for the place; its text may name persons
      LOG.log(Level.WARNING, "a question cannot be asked: {0}", e.getClass().getSimpleName());
      return CheckedDecision.refused(Refusal.unavailable());
    }
    if (outcome.permitted()) {
      return CheckedDecision.granted();
    }
    LOG.log(
        outcome.verdict() == Verdict.UNAVAILABLE ? Level.WARNING : Level.INFO,
        "an action was refused: action={0} verdict={1} request_id={2} error=\"{3}\"",
        action.name(),
        outcome.verdict(),
        trace.requestId(),
        outcome.error());
    return CheckedDecision.refused(outcome.refusal());
  }

  private Outcome enforced(Evaluation question, HttpServletRequest request) {
    if (request == null || !WardkeeperFilter.isOn(request)) {
      Outcome outcome = enforcer.enforce(question);
      return outcome.isDueAfter()
          ? outcome.unsupported("nothing runs what is due after the action")
          : outcome;
    }
    Asked asked = asked(request);
    return asked.of(
        question,
        () -> {
          Outcome outcome = enforcer.enforce(question);
          boolean waits = outcome.verdict() == Verdict.CONFIRMATION_REQUIRED;
          if (waits && isConfirmed(request) && asked.confirms(question)) {
            outcome = enforcer.enforce(question.with("confirmed", true));
          }
          WardkeeperFilter.after(request, outcome);
          return outcome;
        });
  }

  private boolean isConfirmed(HttpServletRequest request) {
    if (!confirmation.isIn(request)) {
      return false;
    }
    // The route file may have taken the header for its question.
    return !WardkeeperFilter.isChecked(request)
        || WardkeeperFilter.resultOf(request)
            .route()
            .filter(route -> route.confirmedBy().equalsIgnoreCase(CONFIRMED))
            .isEmpty();
  }

  private static Asked asked(HttpServletRequest request) {
    if (request.getAttribute(ASKED) instanceof Asked asked) {
      return asked;
    }
    Asked asked = new Asked();
    request.setAttribute(ASKED, asked);
    return asked;
  }

  private static boolean isSignedIn(Authentication person) {
    return person != null
        && person.isAuthenticated()
        && !(person instanceof AnonymousAuthenticationToken)
        && !person.getName().isEmpty();
  }

  private static HttpServletRequest currentRequest() {
    return RequestContextHolder.getRequestAttributes() instanceof ServletRequestAttributes found
        ? found.getRequest()
        : null;
  }

  private Evaluation question(
      Authentication person, Action action, Entity resource, HttpServletRequest request) {
    Map<String, Object> context = request == null ? Map.of() : place.of(request);
    return new Evaluation(Entity.user(person.getName()), action, resource, context);
  }

  /**
   * Tells which actions a page about a user offers to the person: it is one request. Nothing is
   * offered to somebody who is not signed in.
   */
  public Map<String, Boolean> can(Collection<String> actions, String user) {
    Authentication person = SecurityContextHolder.getContext().getAuthentication();
    if (!isSignedIn(person)) {
      Map<String, Boolean> none = new LinkedHashMap<>();
      actions.forEach(action -> none.put(action, false));
      return none;
    }
    return enforcer.can(
        actions, question(person, new Action(""), Entity.user(user), currentRequest()));
  }

  /**
   * Returns a search for the users to whom the person may do an action, for {@link UserList}.
   *
   * @throws RefusedException if nobody is signed in
   */
  public Search users(String action) {
    Authentication person = SecurityContextHolder.getContext().getAuthentication();
    if (!isSignedIn(person)) {
      throw new RefusedException(Refusal.unauthenticated("Sign in first."));
    }
    Search search = Search.users(person.getName(), action);
    HttpServletRequest request = currentRequest();
    Map<String, Object> context = request == null ? Map.of() : place.of(request);
    for (Map.Entry<String, Object> member : context.entrySet()) {
      search = search.with(member.getKey(), member.getValue());
    }
    return search;
  }
}
