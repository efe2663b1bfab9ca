package com.wardkeeper.pep.http;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLParameters;

/** Encrypts what goes over a wire. */
final class Tls {
  private final Wire wire;
  private final SSLEngine engine;
  private ByteBuffer received; // encrypted, to be read
  private ByteBuffer plain; // decrypted, to be read

  private Tls(Wire wire, SSLEngine engine) {
    this.wire = wire;
    this.engine = engine;
    received = ByteBuffer.allocate(engine.getSession().getPacketBufferSize()).limit(0);
    plain = ByteBuffer.allocate(engine.getSession().getApplicationBufferSize()).limit(0);
  }

  /** Agrees on keys with a server that proves that it has a name. */
  static Tls handshake(Wire wire, SSLContext context, String host, int port, Deadline deadline)
      throws IOException {
    SSLEngine engine = context.createSSLEngine(host, port);
    engine.setUseClientMode(true);
    SSLParameters parameters = engine.getSSLParameters();
    parameters.setEndpointIdentificationAlgorithm("HTTPS");
    engine.setSSLParameters(parameters);
    Tls tls = new Tls(wire, engine);
    engine.beginHandshake();
    tls.agree(deadline);
    return tls;
  }

  /** Does what the protocol itself needs. */
  private void agree(Deadline deadline) throws IOException {
    while (true) {
      HandshakeStatus status = engine.getHandshakeStatus();
      if (status == HandshakeStatus.NEED_TASK) {
        engine.getDelegatedTask().run();
      } else if (status == HandshakeStatus.NEED_WRAP) {
        send(ByteBuffer.allocate(0), deadline);
      } else if (status == HandshakeStatus.NEED_UNWRAP
          || status == HandshakeStatus.NEED_UNWRAP_AGAIN) {
        SSLEngineResult.Status unwrapped = unwrap();
        if (unwrapped == SSLEngineResult.Status.CLOSED) {
          throw new SSLException("the connection was closed");
        }
        if (unwrapped == SSLEngineResult.Status.BUFFER_UNDERFLOW && receive(deadline, true) < 0) {
          throw new SSLException("the connection was closed");
        }
      } else {
        return;
      }
    }
  }

  private void send(ByteBuffer from, Deadline deadline) throws IOException {
    ByteBuffer encrypted = ByteBuffer.allocate(engine.getSession().getPacketBufferSize());
    SSLEngineResult result = engine.wrap(from, encrypted);
    wire.write(encrypted.flip(), deadline);
    if (result.getStatus() != SSLEngineResult.Status.OK) {
      // The alert that says why has been sent. What remains is to tell why.
      throw new SSLException("the connection was closed");
    }
  }

  /** Decrypts into the plain bytes, which have to be read. */
  private SSLEngineResult.Status unwrap() throws IOException {
    plain.compact();
    SSLEngineResult.Status status = engine.unwrap(received, plain).getStatus();
    plain.flip();
    if (status == SSLEngineResult.Status.BUFFER_OVERFLOW) {
      ByteBuffer larger =
          ByteBuffer.allocate(plain.remaining() + engine.getSession().getApplicationBufferSize());
      plain = larger.put(plain).flip();
    }
    return status;
  }

  /** Receives encrypted bytes: waits for some, or takes those that are there. */
  private int receive(Deadline deadline, boolean wait) throws IOException {
    int needed = engine.getSession().getPacketBufferSize();
    if (received.capacity() < needed) {
      received = ByteBuffer.allocate(needed).put(received).flip();
    }
    received.compact();
    try {
      return wait ? wire.read(received, deadline) : wire.readNow(received);
    } finally {
      received.flip();
    }
  }

  /** Reads decrypted bytes. It is -1 at an end that the other side has announced. */
  int read(ByteBuffer into, Deadline deadline) throws IOException {
    return read(into, deadline, true);
  }

  /** Reads decrypted bytes if some are there. It is 0 if there are none. */
  int readNow(ByteBuffer into, Deadline deadline) throws IOException {
    return read(into, deadline, false);
  }

  private int read(ByteBuffer into, Deadline deadline, boolean wait) throws IOException {
    while (!plain.hasRemaining()) {
      SSLEngineResult.Status status = unwrap();
      if (status == SSLEngineResult.Status.CLOSED) {
        return -1;
      }
      agree(deadline); // such as after a new key
      if (status == SSLEngineResult.Status.BUFFER_UNDERFLOW) {
        int count = receive(deadline, wait);
        if (count < 0) {
          throw new EOFException(); // which anybody on the way could have caused
        }
        if (count == 0) {
          return 0;
        }
      }
    }
    int count = Math.min(into.remaining(), plain.remaining());
    into.put(plain.slice(plain.position(), count));
    plain.position(plain.position() + count);
    return count;
  }

  /** Encrypts and writes all. */
  void write(ByteBuffer from, Deadline deadline) throws IOException {
    while (from.hasRemaining()) {
      send(from, deadline);
    }
  }
}
