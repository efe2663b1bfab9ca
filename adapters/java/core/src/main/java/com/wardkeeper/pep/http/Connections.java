package com.wardkeeper.pep.http;

import com.wardkeeper.pep.TimedOutException;
import com.wardkeeper.pep.UnreachableException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import javax.net.ssl.SSLContext;

/**
 * Bounded connections to one server, which are kept and used again. Several threads can use them at
 * the same time.
 *
 * <p>It is a client of our own because {@code java.net.http} has no Unix sockets, no bound for its
 * connections, and no time-out for the body of an answer. The same code serves all transports.
 */
public final class Connections implements AutoCloseable {
  private static final long IDLE = Duration.ofSeconds(60).toNanos();

  private final Address address;
  private final SSLContext context;
  private final Resolver resolver;
  private final Semaphore slots;
  private final int maxBody;
  private final ReentrantLock lock = new ReentrantLock(); // guards idle
  private final Deque<Connection> idle = new ArrayDeque<>();

  /**
   * Opens no connection yet.
   *
   * @param address the server
   * @param context for an encrypted connection, or null
   * @param most bounds the connections, and so the requests in progress
   * @param maxBody bounds an answer, in bytes
   */
  public Connections(Address address, SSLContext context, int most, int maxBody) {
    this.address = address;
    this.context = context;
    this.resolver = new Resolver(address.host());
    this.slots = new Semaphore(most, true);
    this.maxBody = maxBody;
  }

  /**
   * Sends a request and returns the answer. It tries once more if an established connection breaks
   * before the answer begins (PEP-8), unless the request is a claim.
   *
   * @throws com.wardkeeper.pep.NoAnswerException if there is none
   */
  public Answer send(Request request, Deadline deadline) {
    byte[] text = request.text(address.authority());
    try {
      if (!slots.tryAcquire(deadline.nanos(), TimeUnit.NANOSECONDS)) {
        throw new TimedOutException();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new UnreachableException("the thread was interrupted");
    }
    try {
      try {
        Connection kept = take(deadline);
        return attempt(kept == null ? open(deadline) : kept, text, request, deadline);
      } catch (BrokeException e) {
        if (request.claim()) {
          throw e; // it may be in force
        }
        // Asking again is safe: questions change nothing. What was kept has probably been closed
        // too.
        close();
        return attempt(open(deadline), text, request, deadline);
      }
    } catch (BrokeException e) {
      throw new UnreachableException("the decision point broke off the connection");
    } finally {
      slots.release();
    }
  }

  private Connection open(Deadline deadline) {
    return Connection.open(address, context, resolver, deadline);
  }

  private Answer attempt(Connection connection, byte[] text, Request request, Deadline deadline)
      throws BrokeException {
    boolean kept = false;
    try {
      Answer answer = connection.exchange(text, request, maxBody, deadline);
      if (answer.reusable()) {
        keep(connection);
        kept = true;
      }
      return answer;
    } finally {
      if (!kept) {
        connection.close();
      }
    }
  }

  private void keep(Connection connection) {
    lock.lock();
    try {
      idle.push(connection);
    } finally {
      lock.unlock();
    }
  }

  /** Takes a connection that can be used again, the last one used, or null. */
  private Connection take(Deadline deadline) {
    while (true) {
      Connection connection;
      lock.lock();
      try {
        connection = idle.poll();
      } finally {
        lock.unlock();
      }
      if (connection == null) {
        return null;
      }
      if (System.nanoTime() - connection.used() < IDLE && connection.isSilent(deadline)) {
        return connection;
      }
      connection.close();
    }
  }

  /** Closes the connections that are not in use. */
  @Override
  public void close() {
    List<Connection> unused;
    lock.lock();
    try {
      unused = new ArrayList<>(idle);
      idle.clear();
    } finally {
      lock.unlock();
    }
    unused.forEach(Connection::close);
  }
}
