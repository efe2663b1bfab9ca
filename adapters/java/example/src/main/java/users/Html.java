package users;

import org.springframework.security.web.csrf.CsrfToken;
import org.springframework.web.util.HtmlUtils;

/** Pages. */
final class Html {
  private Html() {}

  static String escape(String text) {
    return HtmlUtils.htmlEscape(text);
  }

  static String page(String title, String body) {
    return "<!doctype html><title>%s</title><h1>%s</h1>%s"
        .formatted(escape(title), escape(title), body);
  }

  /** Returns the field without which Spring Security accepts no form. */
  static String hidden(CsrfToken token) {
    return "<input type=\"hidden\" name=\"%s\" value=\"%s\">"
        .formatted(escape(token.getParameterName()), escape(token.getToken()));
  }
}
