package com.wardkeeper.pep;

import java.time.Instant;
import java.util.Optional;

/**
 * The outcome of {@link Client#claim}.
 *
 * @param expires until when the change has to be made; empty if it may not be
 * @param code why it was not claimed: changed, taken, expired or denied; empty if it was
 * @param evaluation the question answered again. If the claim failed, an allow has a new guard
 */
public record Claim(Optional<Instant> expires, String code, Response evaluation) {
  /**
   * Whether the change may be made, before the claim expires and with every obligation of the
   * evaluation.
   */
  public boolean claimed() {
    return expires.isPresent();
  }
}
