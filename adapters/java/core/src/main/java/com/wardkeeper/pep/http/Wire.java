package com.wardkeeper.pep.http;

import java.io.Closeable;
import java.io.IOException;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;

/** Bytes to and from a server, over TCP or a Unix socket. Every operation ends by a deadline. */
class Wire implements Closeable {
  private final SocketChannel channel;
  private final Selector selector;
  private final SelectionKey key;

  private Wire(SocketChannel channel) throws IOException {
    this.channel = channel;
    channel.configureBlocking(false);
    selector = Selector.open();
    key = channel.register(selector, 0);
  }

  static Wire connect(SocketAddress address, Deadline deadline) throws IOException {
    boolean local = address instanceof UnixDomainSocketAddress;
    SocketChannel channel =
        local ? SocketChannel.open(StandardProtocolFamily.UNIX) : SocketChannel.open();
    Wire wire = null;
    try {
      if (!local) {
        channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
      }
      wire = new Wire(channel);
      if (!channel.connect(address)) {
        do {
          wire.await(SelectionKey.OP_CONNECT, deadline);
        } while (!channel.finishConnect());
      }
      Wire connected = wire;
      wire = null;
      channel = null;
      return connected;
    } finally {
      if (wire != null) {
        wire.close();
      } else if (channel != null) {
        channel.close();
      }
    }
  }

  private void await(int operation, Deadline deadline) throws IOException {
    key.interestOps(operation);
    selector.select(deadline.millis());
    selector.selectedKeys().clear();
    if (Thread.currentThread().isInterrupted()) {
      throw new InterruptedWaitException();
    }
    deadline.nanos();
  }

  /** Reads what there is, and waits for at least a byte. It is -1 at the end. */
  int read(ByteBuffer into, Deadline deadline) throws IOException {
    while (true) {
      int count = channel.read(into);
      if (count != 0) {
        return count;
      }
      await(SelectionKey.OP_READ, deadline);
    }
  }

  /** Reads what there is. It is 0 if there is nothing, and -1 at the end. */
  int readNow(ByteBuffer into) throws IOException {
    return channel.read(into);
  }

  /** Writes all. */
  void write(ByteBuffer from, Deadline deadline) throws IOException {
    while (from.hasRemaining()) {
      if (channel.write(from) == 0) {
        await(SelectionKey.OP_WRITE, deadline);
      }
    }
  }

  @Override
  public void close() {
    try {
      selector.close();
    } catch (IOException e) {
      // there is nothing that could be done
    }
    try {
      channel.close();
    } catch (IOException e) {
      // likewise
    }
  }
}
