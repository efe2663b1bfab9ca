package com.wardkeeper.pep.spring;

import com.wardkeeper.pep.Refusal;
import com.wardkeeper.pep.servlet.WardkeeperFilter;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import org.springframework.security.access.AccessDeniedException;
import org.springframework.security.authorization.AuthorizationDeniedException;
import org.springframework.security.web.access.AccessDeniedHandler;
import org.springframework.security.web.access.AccessDeniedHandlerImpl;

/**
 * Answers what a decision point has refused: with the reasons and advice of a denial, or 503. What
 * Spring Security denies by itself is left to another handler.
 */
public final class RefusalHandler implements AccessDeniedHandler {
  private final AccessDeniedHandler others;

  /** Leaves the rest to the default handler of Spring Security. */
  public RefusalHandler() {
    this(new AccessDeniedHandlerImpl());
  }

  /** Leaves the rest to another handler. */
  public RefusalHandler(AccessDeniedHandler others) {
    this.others = others;
  }

  @Override
  public void handle(
      HttpServletRequest request, HttpServletResponse response, AccessDeniedException denied)
      throws IOException, ServletException {
    boolean isOurs =
        denied instanceof AuthorizationDeniedException exception
            && exception.getAuthorizationResult() instanceof CheckedDecision;
    if (!isOurs) {
      others.handle(request, response, denied);
      return;
    }
    AuthorizationDeniedException exception = (AuthorizationDeniedException) denied;
    CheckedDecision decision = (CheckedDecision) exception.getAuthorizationResult();
    Refusal refusal = decision.refusal().orElseGet(Refusal::unavailable);
    WardkeeperFilter.refuse(
        refusal.withRequestId(WardkeeperFilter.traceOf(request).requestId()), request, response);
  }
}
