package users;

import com.wardkeeper.pep.Hit;
import com.wardkeeper.pep.NoAnswerException;
import com.wardkeeper.pep.Refusal;
import com.wardkeeper.pep.RefusedException;
import com.wardkeeper.pep.Search;
import com.wardkeeper.pep.spring.UserList;
import com.wardkeeper.pep.spring.Wardkeeper;
import java.util.List;
import java.util.Map;
import org.springframework.data.domain.KeysetScrollPosition;
import org.springframework.data.domain.ScrollPosition;
import org.springframework.data.domain.Window;
import org.springframework.security.access.prepost.PreAuthorize;
import org.springframework.security.web.csrf.CsrfToken;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

/** The pages. */
@RestController
class Pages {
  private static final List<String> ACTIONS =
      List.of("user.edit", "user.reset_password", "user.deactivate", "user.reactivate");

  private final Wardkeeper wardkeeper;
  private final UserList list;

  Pages(Wardkeeper wardkeeper, UserList list) {
    this.wardkeeper = wardkeeper;
    this.list = list;
  }

  /** Shows one page of the users whom the person may view. */
  @GetMapping(path = "/users", produces = "text/html")
  String users(@RequestParam(name = "token", defaultValue = "") String token) {
    Search search = wardkeeper.users("user.view").limit(5);
    KeysetScrollPosition position =
        token.isEmpty() ? ScrollPosition.keyset() : ScrollPosition.forward(Map.of("token", token));
    Window<Hit> window;
    try {
      window = list.window(search, position);
    } catch (NoAnswerException e) {
      throw new RefusedException(Refusal.unavailable());
    }
    StringBuilder rows = new StringBuilder("<ul>");
    for (Hit hit : window) {
      String id = Html.escape(hit.id());
      rows.append("<li><a href=\"/users/%s\">%s</a></li>".formatted(id, id));
    }
    rows.append("</ul>");
    if (window.hasNext()) {
      KeysetScrollPosition next = (KeysetScrollPosition) window.positionAt(window.size() - 1);
      String more = Html.escape(String.valueOf(next.getKeys().get("token")));
      rows.append("<a href=\"?token=%s\">more</a>".formatted(more));
    }
    return Html.page("Users", rows.toString());
  }

  /** Shows a user. What the person may not do is greyed out: all is asked in one request. */
  @GetMapping(path = "/users/{id}", produces = "text/html")
  @PreAuthorize("@wardkeeper.may('user.view', #id)")
  String show(@PathVariable("id") String id, CsrfToken token) {
    StringBuilder buttons = new StringBuilder();
    wardkeeper
        .can(ACTIONS, id)
        .forEach(
            (action, offered) ->
                buttons.append(
                    "<button formaction=\"/users/%s/%s\"%s>%s</button>"
                        .formatted(Html.escape(id), action, offered ? "" : " disabled", action)));
    return Html.page(id, "<form method=\"post\">" + Html.hidden(token) + buttons + "</form>");
  }

  /** Deactivates a user. */
  @PostMapping(path = "/users/{id}/user.deactivate", produces = "text/html")
  @PreAuthorize("@wardkeeper.may('user.deactivate', #id)")
  String deactivate(@PathVariable("id") String id) {
    return Html.page(id, "<p>deactivated</p>");
  }
}
