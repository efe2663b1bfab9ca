package com.wardkeeper.pep.identity;

import com.wardkeeper.pep.NoAnswerException;
import com.wardkeeper.pep.http.Address;
import com.wardkeeper.pep.http.Authorities;
import com.wardkeeper.pep.http.Connections;
import com.wardkeeper.pep.http.Deadline;
import com.wardkeeper.pep.http.Request;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A key set that is fetched from one URL, at most once in a while: tokens with invented key ids
 * cannot cause more.
 */
final class RemoteKeys implements Keys {
  private static final Logger LOG = System.getLogger("com.wardkeeper.pep");

  /** Older keys are fetched again, and used meanwhile. */
  private static final Duration REFRESH_AFTER = Duration.ofMinutes(10);

  /** Older keys are no longer used. */
  private static final Duration FORGET_AFTER = Duration.ofDays(1);

  /** The least time between fetches. */
  private static final Duration RETRY_AFTER = Duration.ofSeconds(15);

  private static final Duration FETCH_TIMEOUT = Duration.ofSeconds(5);

  /** For a fetch in progress. */
  private static final Duration MAX_WAIT = Duration.ofSeconds(1);

  private final Address address;
  private final Connections connections;
  private final ReentrantLock lock = new ReentrantLock(); // guards what follows
  private List<Key> keys; // null before the first
  private long fetched; // when the last successful fetch ended
  private long tried; // when the last fetch began
  private boolean hasTried;
  private boolean failed; // whether the last fetch that ended has failed
  private CountDownLatch running; // of the fetch in progress, or null

  RemoteKeys(Address address) {
    this.address = address;
    this.connections =
        new Connections(
            address, address.tls() ? Authorities.ofSystem() : null, 1, KeySet.MAX_BYTES);
  }

  @Override
  public List<Key> find(String algorithm, String keyId)
      throws TokenInvalidException, KeysUnavailableException {
    CountDownLatch fetch;
    lock.lock();
    try {
      List<Key> found = Keys.matching(usable(), algorithm, keyId);
      if (found.isEmpty() || isOlder(fetched, REFRESH_AFTER)) {
        start();
      }
      if (!found.isEmpty()) {
        return found;
      }
      fetch = running;
    } finally {
      lock.unlock();
    }
    await(fetch);
    lock.lock();
    try {
      List<Key> found = Keys.matching(usable(), algorithm, keyId);
      if (!found.isEmpty()) {
        return found;
      }
      // While the keys cannot be fetched, the missing one may be a new one of the issuer.
      if (keys == null || failed) {
        throw new KeysUnavailableException();
      }
      throw Keys.noKey();
    } finally {
      lock.unlock();
    }
  }

  private static void await(CountDownLatch fetch) throws KeysUnavailableException {
    try {
      if (fetch != null && !fetch.await(MAX_WAIT.toMillis(), TimeUnit.MILLISECONDS)) {
        throw new KeysUnavailableException();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new KeysUnavailableException();
    }
  }

  private List<Key> usable() {
    return keys == null || isOlder(fetched, FORGET_AFTER) ? List.of() : keys;
  }

  private static boolean isOlder(long time, Duration age) {
    return System.nanoTime() - time > age.toNanos();
  }

  /**
   * Starts a fetch, unless one is in progress or was tried recently. It outlives the request:
   * others wait for it too.
   */
  private void start() {
    if (running != null || (hasTried && !isOlder(tried, RETRY_AFTER))) {
      return;
    }
    hasTried = true;
    tried = System.nanoTime();
    running = new CountDownLatch(1);
    Thread thread = new Thread(this::fetch, "wardkeeper-keys");
    thread.setDaemon(true);
    thread.start();
  }

  private void fetch() {
    List<Key> found = null;
    try {
      Map<String, String> fields = Map.of("Accept", "application/jwk-set+json, application/json");
      String target = address.target().startsWith("/") ? address.target() : "/" + address.target();
      Request request = new Request("GET", target, fields, new byte[0], false, false);
      found = KeySet.parse(connections.send(request, Deadline.after(FETCH_TIMEOUT)).body());
      connections.close();
    } catch (NoAnswerException | IOException e) {
      LOG.log(
          Level.WARNING, "the issuer''s keys cannot be fetched: {0}", e.getClass().getSimpleName());
    } finally {
      lock.lock();
      try {
        failed = found == null;
        if (found != null) {
          keys = found;
          fetched = System.nanoTime();
        }
        running.countDown();
        running = null;
      } finally {
        lock.unlock();
      }
    }
  }
}
