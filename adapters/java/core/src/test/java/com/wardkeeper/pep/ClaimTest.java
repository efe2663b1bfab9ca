package com.wardkeeper.pep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.wardkeeper.pep.testing.FakePdp;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Timeout(60)
class ClaimTest {
  private static final Evaluation ASKED =
      Evaluation.of("alice", "assignment.remove", "jane")
          .at("abc")
          .with("include", List.of("guard"));
  private static final String ALLOW =
      "\"evaluation\":{\"decision\":true,\"context\":{\"guard\":{\"token\":\"next\"}}}";
  private static final String DENY = "\"evaluation\":{\"decision\":false}";
  private static final String CLAIMED =
      "{\"claimed\":true,\"expires\":\"2026-03-02T07:41:00.500Z\"," + ALLOW + "}";

  private static Client client(String url) {
    return Client.builder(url).timeout(Duration.ofSeconds(30)).build();
  }

  private static String answer(int status, String body) {
    return "HTTP/1.1 "
        + status
        + " Status\r\nContent-Type: application/json\r\nContent-Length: "
        + body.length()
        + "\r\n\r\n"
        + body;
  }

  @Test
  void aGuardIsClaimedOnce() {
    try (FakePdp pdp = FakePdp.start().permit("assignment.remove");
        Client client = Client.builder(pdp.url()).timeout(Duration.ofSeconds(30)).discover()) {
      String guard = client.evaluate(ASKED).guard();
      Claim first = client.claim(ASKED, guard);
      assertTrue(first.claimed() && first.evaluation().decision());
      assertTrue(first.expires().orElseThrow().isAfter(Instant.now().minusSeconds(60)));
      assertEquals(guard, pdp.asked().get(1).message().get("guard"));

      Claim second = client.claim(ASKED, guard);
      assertFalse(second.claimed());
      assertEquals("taken", second.code());
      assertNotEquals(guard, second.evaluation().guard());
      assertTrue(client.claim(ASKED, second.evaluation().guard()).claimed());

      String last = client.evaluate(ASKED).guard();
      pdp.deny("assignment.remove", "Not any more.");
      Claim denied = client.claim(ASKED, last);
      assertEquals("denied", denied.code());
      assertEquals(new Response(false, denied.evaluation().context()), denied.evaluation());
      assertEquals("", denied.evaluation().guard());
    }
  }

  @Test
  void aGuardIsOfItsQuestion() {
    try (FakePdp pdp = FakePdp.start().permit("assignment.remove");
        Client client = client(pdp.url())) {
      assertEquals("", client.evaluate(ASKED.with("include", List.of())).guard());
      String guard = client.evaluate(ASKED).guard();
      for (String claimed : List.of("", guard)) {
        Evaluation other = ASKED.at(claimed.isEmpty() ? "abc" : "ghi");
        BadStatusException e =
            assertThrows(BadStatusException.class, () -> client.claim(other, claimed));
        assertEquals(400, e.status());
      }
      assertTrue(client.claim(ASKED, guard).claimed());
    }
  }

  @Test
  void theAnswerIsDecoded() {
    String refused = "{\"claimed\":false,\"code\":\"changed\",\"error\":\"x\"," + ALLOW + "}";
    try (Script script = Script.of(List.of(answer(409, refused), answer(200, CLAIMED)));
        Client client = client(script.url())) {
      Response allow = new Response(true, Map.of("guard", Map.of("token", "next")));
      assertEquals("next", allow.guard());
      assertEquals(new Claim(Optional.empty(), "changed", allow), client.claim(ASKED, "t0ken"));
      Instant expires = Instant.parse("2026-03-02T07:41:00.500Z");
      assertEquals(new Claim(Optional.of(expires), "", allow), client.claim(ASKED, "t0ken"));
      assertEquals(1, script.accepted());
      String sent = script.requests().get(0);
      assertTrue(sent.startsWith("POST /v1/guards/claim HTTP/1.1\r\n"), sent);
      assertTrue(sent.contains(",\"guard\":\"t0ken\"}"), sent);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "200|{\"claimed\":false,\"code\":\"denied\"," + DENY + "}",
        "409|" + CLAIMED,
        "503|" + CLAIMED,
        "201|" + CLAIMED,
        "200|{\"claimed\":true,\"expires\":\"2026-03-02T07:41:00Z\"," + DENY + "}",
        "200|{\"claimed\":true,\"expires\":\"soon\"," + ALLOW + "}",
        "200|{\"claimed\":true," + ALLOW + "}",
        "200|{\"claimed\":true,\"expires\":\"2026-03-02T07:41:00Z\"}",
        "200|{\"claimed\":\"true\",\"expires\":\"2026-03-02T07:41:00Z\"," + ALLOW + "}",
        "200|{\"decision\":true}",
        "409|{\"claimed\":false," + DENY + "}",
        "409|{\"code\":\"denied\"," + DENY + "}",
        "409|{\"claimed\":false,\"code\":\"denied\"}",
        "409|{}"
      })
  void whatIsNoClaim(int status, String body) {
    try (Script script = Script.of(List.of(answer(status, body)), List.of(answer(200, CLAIMED)));
        Client client = client(script.url())) {
      assertThrows(NoAnswerException.class, () -> client.claim(ASKED, "t0ken"));
      assertEquals(1, script.accepted());
    }
  }

  @Test
  void aConflictIsNoAnswerToAQuestion() {
    try (Script script = Script.of(List.of(answer(409, "{\"decision\":true}")));
        Client client = client(script.url())) {
      assertThrows(BadStatusException.class, () -> client.evaluate(ASKED));
    }
  }

  @Test
  void aClaimIsNotRepeated() {
    String ok = answer(200, "{\"decision\":true}");
    for (List<String> connection : List.of(List.<String>of(), List.of(ok, ""))) {
      try (Script script = Script.of(connection, List.of(answer(200, CLAIMED)));
          Client client = client(script.url())) {
        if (!connection.isEmpty()) {
          client.evaluate(ASKED); // its connection is kept
        }
        assertThrows(UnreachableException.class, () -> client.claim(ASKED, "t0ken"));
        assertEquals(1, script.accepted());
      }
    }
  }
}
