package sidecar;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.wardkeeper.pep.BadStatusException;
import com.wardkeeper.pep.Claim;
import com.wardkeeper.pep.Client;
import com.wardkeeper.pep.Evaluation;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Two administrators may both make a change to a user, and only one of them claims it. */
class ClaimTest {
  private static Evaluation removal(String administrator) {
    return Evaluation.of(administrator, "assignment.remove", "jane")
        .at("abc")
        .with("current_location", "metro")
        .with("include", List.of("guard"));
  }

  @Test
  void changesThatRace() {
    try (Sidecar sidecar = Sidecar.start();
        Client client = Client.builder(sidecar.url()).timeout(Duration.ofSeconds(30)).discover()) {
      Evaluation first = removal("alice");
      Evaluation second = removal("rafael");
      String firstGuard = client.evaluate(first).guard();
      String secondGuard = client.evaluate(second).guard();
      BadStatusException other =
          assertThrows(BadStatusException.class, () -> client.claim(first, secondGuard));
      assertEquals(400, other.status());
      Claim claimed = client.claim(first, firstGuard);
      assertTrue(claimed.claimed(), claimed.code());
      assertTrue(claimed.evaluation().decision());
      Claim refused = client.claim(second, secondGuard);
      assertFalse(refused.claimed());
      assertEquals("taken", refused.code());
      assertTrue(refused.evaluation().decision());
      assertFalse(refused.evaluation().guard().isEmpty());
    }
  }
}
