package com.wardkeeper.pep.http;

import com.wardkeeper.pep.NoAnswerException;
import com.wardkeeper.pep.TimedOutException;
import com.wardkeeper.pep.UnreachableException;
import java.io.Closeable;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.security.cert.CertificateException;
import java.util.ArrayList;
import java.util.List;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;

/** An established connection. It is used by one thread at a time. */
final class Connection implements Closeable {
  private final Wire wire;
  private final Tls tls; // null without encryption
  private final ByteBuffer received = ByteBuffer.allocate(16 << 10).limit(0);
  private long used;

  private Connection(Wire wire, Tls tls) {
    this.wire = wire;
    this.tls = tls;
  }

  /** Connects to the first address that answers. */
  static Connection open(
      Address address, SSLContext context, Resolver resolver, Deadline deadline) {
    try {
      Wire wire = connect(candidates(address, resolver, deadline), deadline);
      Connection opened = null;
      try {
        Tls tls = null;
        if (address.tls()) {
          tls = Tls.handshake(wire, context, address.host(), address.port(), deadline);
        }
        opened = new Connection(wire, tls);
        return opened;
      } finally {
        if (opened == null) {
          wire.close();
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new UnreachableException("the thread was interrupted");
    } catch (IOException e) {
      throw unreachable(e);
    }
  }

  private static List<SocketAddress> candidates(
      Address address, Resolver resolver, Deadline deadline) throws InterruptedException {
    if (!address.socket().isEmpty()) {
      return List.of(UnixDomainSocketAddress.of(Path.of(address.socket())));
    }
    List<SocketAddress> found = new ArrayList<>();
    for (InetAddress host : resolver.resolve(deadline)) {
      found.add(new InetSocketAddress(host, address.port()));
    }
    return found;
  }

  private static Wire connect(List<SocketAddress> candidates, Deadline deadline)
      throws IOException {
    IOException failed = new IOException("there is no address");
    for (SocketAddress candidate : candidates) {
      try {
        return Wire.connect(candidate, deadline);
      } catch (InterruptedWaitException e) {
        throw e;
      } catch (IOException e) {
        failed = e;
      }
    }
    throw failed;
  }

  /**
   * Reports whether nothing was received since the last answer, neither an end nor an answer that
   * nobody asked for.
   */
  boolean isSilent(Deadline deadline) {
    ByteBuffer one = ByteBuffer.allocate(1);
    try {
      return (tls == null ? wire.readNow(one) : tls.readNow(one, deadline)) == 0;
    } catch (IOException e) {
      return false;
    }
  }

  long used() {
    return used;
  }

  /**
   * Sends a request and receives its answer.
   *
   * @throws BrokeException if the connection broke before the answer began
   * @throws NoAnswerException if there is no answer
   */
  Answer exchange(byte[] text, Request request, int maxBody, Deadline deadline)
      throws BrokeException {
    AnswerReader reader = new AnswerReader(this, request, maxBody, deadline);
    try {
      ByteBuffer from = ByteBuffer.wrap(text);
      if (tls == null) {
        wire.write(from, deadline);
      } else {
        tls.write(from, deadline);
      }
      Answer answer = reader.read();
      used = System.nanoTime();
      return answer;
    } catch (SSLException | InterruptedWaitException e) {
      throw unreachable(e);
    } catch (IOException e) {
      if (!reader.begun()) {
        throw new BrokeException();
      }
      throw new UnreachableException("the decision point broke off the connection");
    }
  }

  /** Returns the next byte that was received, or -1 at the end. */
  int next(Deadline deadline) throws IOException {
    return received.hasRemaining() || fill(deadline) ? received.get() & 0xff : -1;
  }

  /** Copies what was received, at least one byte and at most so many. It is 0 at the end. */
  int next(byte[] into, int offset, int most, Deadline deadline) throws IOException {
    if (!received.hasRemaining() && !fill(deadline)) {
      return 0;
    }
    int count = Math.min(most, received.remaining());
    received.get(into, offset, count);
    return count;
  }

  private boolean fill(Deadline deadline) throws IOException {
    deadline.nanos(); // also if there is always something
    received.clear();
    try {
      return (tls == null ? wire.read(received, deadline) : tls.read(received, deadline)) > 0;
    } finally {
      received.flip();
    }
  }

  /** Reports whether more was received than was read. */
  boolean hasMore() {
    return received.hasRemaining();
  }

  @Override
  public void close() {
    wire.close();
  }

  /** Describes a failed connection. It has nothing of what was received, which may name persons. */
  private static NoAnswerException unreachable(IOException error) {
    if (error instanceof InterruptedWaitException) {
      return new UnreachableException("the thread was interrupted");
    }
    for (Throwable cause = error; cause != null; cause = cause.getCause()) {
      if (cause instanceof TimedOutException timedOut) {
        return timedOut;
      }
      if (cause instanceof CertificateException) {
        return new UnreachableException(
            "the decision point cannot be trusted: its certificate is not accepted");
      }
    }
    if (error instanceof SSLException) {
      return new UnreachableException(
          "the decision point speaks no TLS, or refuses it: " + error.getClass().getSimpleName());
    }
    return new UnreachableException(
        "the decision point cannot be reached: " + error.getClass().getSimpleName());
  }
}
