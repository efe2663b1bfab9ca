package users;

import com.wardkeeper.pep.Obligation;
import com.wardkeeper.pep.Refusal;
import com.wardkeeper.pep.spring.CheckedDecision;
import com.wardkeeper.pep.spring.RefusalHandler;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import org.springframework.security.access.AccessDeniedException;
import org.springframework.security.authorization.AuthorizationDeniedException;
import org.springframework.security.web.access.AccessDeniedHandler;
import org.springframework.security.web.csrf.CsrfToken;

/** Shows what has to be confirmed, with a button that sends the request again. */
final class ConfirmPage implements AccessDeniedHandler {
  private final RefusalHandler others = new RefusalHandler();

  @Override
  public void handle(
      HttpServletRequest request, HttpServletResponse response, AccessDeniedException denied)
      throws IOException, ServletException {
    Refusal refusal = null;
    if (denied instanceof AuthorizationDeniedException exception
        && exception.getAuthorizationResult() instanceof CheckedDecision decision) {
      refusal = decision.refusal().orElse(null);
    }
    if (refusal == null || !refusal.code().equals("confirmation_required")) {
      others.handle(request, response, denied);
      return;
    }
    StringBuilder causes = new StringBuilder();
    for (Obligation obligation : refusal.confirm()) {
      String cause = String.valueOf(obligation.properties().get("cause")).replace('_', ' ');
      causes.append("<li>").append(Html.escape(cause)).append("</li>");
    }
    CsrfToken token = (CsrfToken) request.getAttribute(CsrfToken.class.getName());
    response.setStatus(403);
    response.setContentType("text/html; charset=utf-8");
    response
        .getWriter()
        .print(
            Html.page(
                "Go on?",
                "<ul>"
                    + causes
                    + "</ul><form method=\"post\" action=\"?confirmed=true\">"
                    + Html.hidden(token)
                    + "<button>Go on</button></form>"));
  }
}
