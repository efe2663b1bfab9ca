package com.wardkeeper.pep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.wardkeeper.pep.json.Json;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EnforcerTest {
  private static final Evaluation ASKED = Evaluation.of("alice", "user.edit", "jane");
  private static final String MAIL =
      "{\"id\":\"T/mail\",\"type\":\"notification\",\"properties\":{\"channel\":\"email\"}}";
  private static final String CONFIRM =
      "{\"id\":\"T/c\",\"type\":\"custom\",\"properties\":{\"action\":\"confirm\",\"cause\":\"two_places\"}}";
  private static final String WARN =
      "{\"id\":\"T/w\",\"type\":\"custom\",\"properties\":{\"action\":\"warn\",\"cause\":\"no_role\"}}";

  private final List<String> done = new ArrayList<>();
  private final List<Evaluation> asked = new ArrayList<>();

  private Enforcer answering(String answer, Map<String, Handler> handlers) {
    return new Enforcer(
        questions -> {
          asked.addAll(questions);
          byte[] body = answer.getBytes(StandardCharsets.UTF_8);
          Response response = Answers.response(Answers.object(body));
          return questions.stream().map(question -> response).toList();
        },
        handlers);
  }

  private static String obliged(boolean decision, String... obligations) {
    return "{\"decision\":%s,\"context\":{\"obligations\":[%s]}}"
        .formatted(decision, String.join(",", obligations));
  }

  private Handler recorded(String phase) {
    return new Handler(
        o -> true,
        o -> done.add(phase + " before " + o.id()),
        o -> done.add(phase + " after " + o.id()));
  }

  @Test
  void everyQuestionSaysWhatTheApplicationCanDo() {
    Map<String, Handler> handlers =
        Map.of(
            "notification",
            Handler.shown(),
            Handler.CONFIRM,
            Handler.shown(),
            Handler.WARN,
            Handler.shown());
    assertTrue(answering("{\"decision\":true}", handlers).enforce(ASKED).permitted());
    assertEquals(
        List.of("custom", "notification"), asked.get(0).context().get("supported_obligations"));
  }

  @Test
  void tasksRunInTheirPhases() {
    Enforcer enforcer = answering(obliged(true, MAIL), Map.of("notification", recorded("x")));
    Outcome outcome = enforcer.enforce(ASKED);
    assertEquals(List.of("x before T/mail"), done);
    assertTrue(outcome.isDueAfter());
    assertEquals(List.of(), outcome.done());
    assertEquals(List.of("x before T/mail", "x after T/mail"), done);
  }

  @Test
  void allThatADenialObligesToIsDone() {
    Outcome outcome =
        answering(obliged(false, MAIL), Map.of("notification", recorded("x"))).enforce(ASKED);
    assertEquals(Verdict.DENIED, outcome.verdict());
    assertEquals(List.of("x before T/mail", "x after T/mail"), done);
    assertEquals(List.of(), outcome.done());
    assertEquals(2, done.size());
  }

  @Test
  void whatCannotBeDoneBeforeTheActionDenies() {
    Handler failing =
        Handler.before(
            obligation -> {
              throw new IllegalStateException("jane.doe@example.org");
            });
    Outcome outcome =
        answering(obliged(true, MAIL), Map.of("notification", failing)).enforce(ASKED);
    assertEquals(Verdict.DENIED, outcome.verdict());
    assertEquals("obligation_unsupported", outcome.reasons().get(0).code());
    assertFalse(outcome.error().contains("jane"), outcome.error());
    assertTrue(outcome.error().contains("IllegalStateException"), outcome.error());
  }

  @Test
  void whatFailsAfterTheActionIsTold() {
    Handler failing =
        Handler.after(
            obligation -> {
              throw new IllegalStateException("jane.doe@example.org");
            });
    Outcome outcome =
        answering(obliged(true, MAIL), Map.of("notification", failing)).enforce(ASKED);
    assertTrue(outcome.permitted());
    assertEquals(1, outcome.done().size());
    assertFalse(outcome.done().get(0).contains("jane"));
  }

  @Test
  void confirmationsAndWarnings() {
    Map<String, Handler> handlers =
        Map.of(Handler.CONFIRM, Handler.shown(), Handler.WARN, Handler.shown());
    Outcome confirm = answering(obliged(true, CONFIRM, WARN), handlers).enforce(ASKED);
    assertEquals(Verdict.CONFIRMATION_REQUIRED, confirm.verdict());
    assertTrue(confirm.offered());
    assertEquals("confirmation_required", confirm.refusal().code());
    assertEquals(List.of(), confirm.warnings());
    assertEquals(
        List.of("no_role"), answering(obliged(true, WARN), handlers).enforce(ASKED).warnings());
    assertEquals(
        Verdict.DENIED, answering(obliged(true, CONFIRM), Map.of()).enforce(ASKED).verdict());
  }

  @Test
  void aConfirmationCountsForOneQuestion() {
    Enforcer enforcer = answering("{\"decision\":true}", Map.of());
    assertEquals(
        Map.of("user.view", true, "user.delete", true),
        enforcer.can(
            List.of("user.view", "user.delete"),
            ASKED.with("confirmed", true).with("current_location", "metro")));
    for (Evaluation question : asked) {
      assertFalse(question.context().containsKey("confirmed"));
      assertEquals("metro", question.context().get("current_location"));
    }
  }

  @Test
  void nothingIsPermittedWithoutAnAnswer() {
    Enforcer failing =
        new Enforcer(
            questions -> {
              throw new IllegalStateException("jane");
            },
            Map.of());
    Outcome outcome = failing.enforce(ASKED);
    assertEquals(Verdict.UNAVAILABLE, outcome.verdict());
    assertEquals("the decider threw IllegalStateException", outcome.error());
    assertEquals(503, outcome.refusal().status());
    assertThrows(RefusedException.class, outcome::orRefuse);
    Enforcer silent = new Enforcer(questions -> List.of(), Map.of());
    assertEquals(Verdict.UNAVAILABLE, silent.enforce(ASKED).verdict());
    assertEquals(Map.of("user.view", false), failing.can(List.of("user.view"), ASKED));
  }

  @Test
  void guardsAreKept() {
    String answer = "{\"decision\":true,\"context\":{\"guard\":{\"until\":9007199254740993}}}";
    Outcome outcome = answering(answer, Map.of()).enforce(ASKED);
    assertEquals(9_007_199_254_740_993L, Json.object(outcome.context().get("guard")).get("until"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "custom", "custom/", "notification/x", "/x"})
  void noObligationIsOfThisKind(String kind) {
    Map<String, Handler> handlers = Map.of(kind, Handler.shown());
    assertThrows(
        IllegalArgumentException.class, () -> new Enforcer(questions -> List.of(), handlers));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "text/html",
        "application/json, TEXT/HTML;q=0.1",
        "text/html;level=1; q=1",
        "text/html;q="
      })
  void browsersGetAPage(String accept) {
    Refusal refusal = Refusal.denied(List.of(new Reason("c", "<b>&\"'", "")), List.of());
    assertEquals("text/html; charset=utf-8", refusal.contentType(accept));
    String page = new String(refusal.body(accept), StandardCharsets.UTF_8);
    assertTrue(page.contains("<p>&lt;b&gt;&amp;&quot;&#39;</p>"), page);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "*/*", "text/htmlx", "text/html;q=0", "text/html; q=0.000", "text/plain"})
  void programsGetProblemDetails(String accept) {
    assertEquals("application/problem+json", Refusal.noRoute().contentType(accept));
  }
}
