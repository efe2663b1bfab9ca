package com.wardkeeper.pep;

import com.wardkeeper.pep.json.Json;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What a person gets instead of an action: problem details (RFC 9457), or a page for a browser
 * (PEP-9).
 *
 * @param status 400, 401, 403 or 503
 * @param code {@code bad_request}, {@code unauthenticated}, {@code denied}, {@code
 *     confirmation_required} or {@code unavailable}
 * @param detail one sentence for the person
 * @param reasons of a denial
 * @param advice what the person can do instead
 * @param confirm what to confirm before asking again
 * @param requestId identifies the request; may be empty
 */
public record Refusal(
    int status,
    String code,
    String detail,
    List<Reason> reasons,
    List<Reason> advice,
    List<Obligation> confirm,
    String requestId) {
  private static final String STYLE =
      "font:1.1rem/1.5 sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem";

  private static Refusal of(int status, String code, String detail) {
    return new Refusal(status, code, detail, List.of(), List.of(), List.of(), "");
  }

  /** Refuses a request that has no single meaning. */
  public static Refusal badRequest(String detail) {
    return of(400, "bad_request", detail);
  }

  /** Refuses a request of somebody who has not signed in. */
  public static Refusal unauthenticated(String detail) {
    return of(401, "unauthenticated", detail);
  }

  /** Refuses what is denied. */
  public static Refusal denied(List<Reason> reasons, List<Reason> advice) {
    String first = reasons.isEmpty() ? "" : reasons.get(0).message();
    String detail = first.isEmpty() ? "You may not do this." : first;
    return new Refusal(403, "denied", detail, reasons, advice, List.of(), "");
  }

  /** Refuses an action until the person has confirmed it. */
  public static Refusal confirmationRequired(List<Obligation> confirm, List<Reason> advice) {
    String detail = "This has to be confirmed first.";
    return new Refusal(403, "confirmation_required", detail, List.of(), advice, confirm, "");
  }

  /** Refuses a request that matches no route (PEP-14). */
  public static Refusal noRoute() {
    Reason reason = new Reason("no_route", "No route allows this request.", "");
    return new Refusal(
        403, "denied", "Nobody may do this.", List.of(reason), List.of(), List.of(), "");
  }

  /** Refuses a request about which there is no answer. */
  public static Refusal unavailable() {
    return unavailable("Whether you may do this could not be found out. Try again.");
  }

  /**
   * Refuses a request about which there is no answer, with a sentence that says what is missing.
   */
  public static Refusal unavailable(String detail) {
    return of(503, "unavailable", detail);
  }

  /** Returns the refusal with the id of the request. */
  public Refusal withRequestId(String id) {
    return new Refusal(status, code, detail, reasons, advice, confirm, id);
  }

  /** Returns the phrase of the status. */
  public String title() {
    return switch (status) {
      case 400 -> "Bad Request";
      case 401 -> "Unauthorized";
      case 403 -> "Forbidden";
      default -> "Service Unavailable";
    };
  }

  /** Returns the header fields, without those that describe the body. */
  public Map<String, String> fields() {
    Map<String, String> fields = new LinkedHashMap<>();
    fields.put("Cache-Control", "no-store");
    fields.put("Vary", "Accept");
    fields.put("X-Content-Type-Options", "nosniff");
    if (status == 401) {
      fields.put("WWW-Authenticate", "Bearer");
    }
    if (status == 503) {
      fields.put("Retry-After", "1");
    }
    if (!requestId.isEmpty()) {
      fields.put("X-Request-ID", requestId);
    }
    return fields;
  }

  /** Returns the content type: that of a page if the Accept field names {@code text/html}. */
  public String contentType(String accept) {
    return wantsPage(accept) ? "text/html; charset=utf-8" : "application/problem+json";
  }

  /** Returns the body: a page if the Accept field names {@code text/html}, else problem details. */
  public byte[] body(String accept) {
    return wantsPage(accept) ? page().getBytes(StandardCharsets.UTF_8) : Json.write(problem());
  }

  /** Returns the problem details. */
  public Map<String, Object> problem() {
    Map<String, Object> problem = new LinkedHashMap<>();
    problem.put("title", title());
    problem.put("status", status);
    problem.put("code", code);
    problem.put("detail", detail);
    if (!reasons.isEmpty()) {
      problem.put("reasons", reasons.stream().map(Reason::members).toList());
    }
    if (!advice.isEmpty()) {
      problem.put("advice", advice.stream().map(Reason::members).toList());
    }
    if (!confirm.isEmpty()) {
      problem.put("confirm", confirm.stream().map(Obligation::message).toList());
    }
    if (!requestId.isEmpty()) {
      problem.put("request_id", requestId);
    }
    return problem;
  }

  private String page() {
    List<String> sentences = new ArrayList<>();
    for (List<Reason> list : List.of(reasons, advice)) {
      for (Reason reason : list) {
        if (!reason.message().isEmpty() && !reason.message().equals(detail)) {
          sentences.add(reason.message());
        }
      }
    }
    for (Obligation obligation : confirm) {
      String cause = Json.text(obligation.properties().get("cause"));
      if (!cause.isEmpty()) {
        sentences.add(cause.replace('_', ' '));
      }
    }
    StringBuilder page = new StringBuilder(1024);
    page.append("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">");
    page.append("<meta name=\"viewport\" content=\"width=device-width\"><title>").append(title());
    page.append("</title></head><body style=\"").append(STYLE).append("\"><h1>").append(title());
    page.append("</h1><p>").append(escaped(detail)).append("</p>");
    if (!sentences.isEmpty()) {
      page.append("<ul>");
      sentences.forEach(text -> page.append("<li>").append(escaped(text)).append("</li>"));
      page.append("</ul>");
    }
    if (!requestId.isEmpty()) {
      page.append("<p><small>Request ").append(escaped(requestId)).append("</small></p>");
    }
    return page.append("</body></html>").toString();
  }

  /** Tells whether an Accept field names {@code text/html}. */
  static boolean wantsPage(String accept) {
    for (String range : accept.split(",", -1)) {
      String[] parts = range.split(";", -1);
      if (!parts[0].strip().toLowerCase(Locale.ROOT).equals("text/html")) {
        continue;
      }
      for (int i = 1; i < parts.length; i++) {
        String parameter = parts[i].strip().toLowerCase(Locale.ROOT);
        if (parameter.startsWith("q=")) {
          return !isZero(parameter.substring("q=".length()).strip());
        }
      }
      return true;
    }
    return false;
  }

  private static boolean isZero(String quality) {
    for (int i = 0; i < quality.length(); i++) {
      char c = quality.charAt(i);
      if (c != '0' && c != '.') {
        return false;
      }
    }
    return !quality.isEmpty();
  }

  private static String escaped(String text) {
    StringBuilder escaped = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '&' -> escaped.append("&amp;");
        case '<' -> escaped.append("&lt;");
        case '>' -> escaped.append("&gt;");
        case '"' -> escaped.append("&quot;");
        case '\'' -> escaped.append("&#39;");
        default -> escaped.append(c);
      }
    }
    return escaped.toString();
  }
}
