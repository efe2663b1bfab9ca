package com.wardkeeper.pep;

import com.wardkeeper.pep.http.Answer;
import com.wardkeeper.pep.json.Json;
import com.wardkeeper.pep.json.MalformedJsonException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Decodes the answers of a decision point. What is not exactly one is no answer (PEP-1). */
final class Answers {
  private Answers() {}

  static Map<String, Object> object(byte[] body) {
    try {
      return Json.parseObject(body);
    } catch (MalformedJsonException e) {
      throw malformed(); // without the cause, which may have a part of the answer
    }
  }

  static NoAnswerException malformed() {
    return new NoAnswerException("the decision point sent a malformed answer");
  }

  static Response response(Object answer) {
    Map<String, Object> members = Json.object(answer);
    if (members == null || !(members.get("decision") instanceof Boolean decision)) {
      throw malformed();
    }
    Object context = members.get("context");
    if (context == null) {
      return new Response(decision, Map.of());
    }
    if (Json.object(context) == null) {
      throw malformed();
    }
    return new Response(decision, Json.object(context));
  }

  static List<Response> responses(byte[] body) {
    List<Object> answers = Json.array(object(body).get("evaluations"));
    if (answers == null) {
      throw malformed();
    }
    List<Response> responses = new ArrayList<>(answers.size());
    for (Object answer : answers) {
      responses.add(response(answer));
    }
    return responses;
  }

  /** Decodes the answer to a claim. Status, claimed and decision must agree. */
  static Claim claim(Answer answer) {
    Map<String, Object> members = object(answer.body());
    Response evaluation = response(members.get("evaluation"));
    String code = Json.text(members.get("code"));
    if (Boolean.TRUE.equals(members.get("claimed"))
        && answer.status() == 200
        && evaluation.decision()) {
      return new Claim(Optional.of(time(members.get("expires"))), "", evaluation);
    }
    if (Boolean.FALSE.equals(members.get("claimed")) && answer.status() == 409 && !code.isEmpty()) {
      return new Claim(Optional.empty(), code, evaluation);
    }
    throw malformed();
  }

  private static Instant time(Object value) {
    try {
      return OffsetDateTime.parse(Json.text(value)).toInstant();
    } catch (DateTimeParseException e) {
      throw malformed();
    }
  }

  static Page page(byte[] body) {
    Map<String, Object> members = object(body);
    Object page = members.get("page");
    Object token = "";
    if (page != null) {
      Map<String, Object> said = Json.object(page);
      if (said == null) {
        throw malformed();
      }
      token = said.get("next_token");
    }
    List<Object> results = Json.array(members.get("results"));
    if (results == null || !(token == null || token instanceof String)) {
      throw malformed();
    }
    List<Hit> hits = new ArrayList<>(results.size());
    for (Object result : results) {
      hits.add(hit(result));
    }
    return new Page(List.copyOf(hits), Json.text(token));
  }

  private static Hit hit(Object result) {
    Map<String, Object> members = Json.object(result);
    if (members == null) {
      throw malformed();
    }
    String type = Json.text(members.get("type"));
    String id = Json.text(members.get("id"));
    String name = Json.text(members.get("name"));
    Object properties = members.get("properties");
    Object obligations = members.get("obligations");
    boolean isOne = (!type.isEmpty() && !id.isEmpty()) || !name.isEmpty();
    if (!isOne
        || (properties != null && Json.object(properties) == null)
        || (obligations != null && Json.array(obligations) == null)) {
      throw malformed();
    }
    return new Hit(
        type,
        id,
        name,
        properties == null ? Map.of() : Json.object(properties),
        obligations == null ? List.of() : Json.array(obligations));
  }

  static Metadata metadata(byte[] body) {
    Map<String, Object> members = object(body);
    Endpoints endpoints =
        new Endpoints(
            text(members, "access_evaluation_endpoint"),
            text(members, "access_evaluations_endpoint"),
            text(members, "search_subject_endpoint"),
            text(members, "search_resource_endpoint"),
            text(members, "search_action_endpoint"),
            text(members, "guard_claim_endpoint"));
    String base = text(members, "policy_decision_point");
    if (base.isEmpty() || endpoints.evaluation().isEmpty()) {
      throw new NoAnswerException("the decision point sent malformed metadata");
    }
    List<String> kinds = new ArrayList<>();
    List<Object> said = Json.array(members.get("supported_obligations"));
    for (Object kind : said == null ? List.of() : said) {
      if (kind instanceof String text) {
        kinds.add(text);
      }
    }
    return new Metadata(base, endpoints, List.copyOf(kinds));
  }

  private static String text(Map<String, Object> members, String name) {
    Object value = members.get(name);
    if (value != null && !(value instanceof String)) {
      throw new NoAnswerException("the decision point sent malformed metadata");
    }
    return Json.text(value);
  }
}
