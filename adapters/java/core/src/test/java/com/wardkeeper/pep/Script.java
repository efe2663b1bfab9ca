package com.wardkeeper.pep;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A server that plays answers: for each connection, one text for each request, and then it closes
 * the connection. At a NUL it waits until the other side has gone.
 */
final class Script implements AutoCloseable {
  private final ServerSocket listener;
  private final List<List<String>> connections;
  private final AtomicInteger accepted = new AtomicInteger();
  private final List<String> requests = new CopyOnWriteArrayList<>();

  private Script(ServerSocket listener, List<List<String>> connections) {
    this.listener = listener;
    this.connections = connections;
  }

  @SafeVarargs
  @SuppressWarnings("varargs")
  static Script of(List<String>... connections) {
    try {
      ServerSocket listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
      Script script = new Script(listener, List.of(connections));
      Thread thread = new Thread(script::run);
      thread.setDaemon(true);
      thread.start();
      return script;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  String url() {
    return "http://127.0.0.1:" + listener.getLocalPort();
  }

  int accepted() {
    return accepted.get();
  }

  List<String> requests() {
    return requests;
  }

  private void run() {
    for (List<String> answers : connections) {
      try (Socket socket = listener.accept()) {
        accepted.incrementAndGet();
        play(socket, answers);
      } catch (IOException e) {
        // the client has gone, or the test is over
      }
    }
  }

  private void play(Socket socket, List<String> answers) throws IOException {
    if (answers.isEmpty()) {
      receive(socket.getInputStream());
    }
    for (String answer : answers) {
      String request = receive(socket.getInputStream());
      if (request.isEmpty()) {
        return;
      }
      requests.add(request);
      int pause = answer.indexOf('\0');
      String begin = pause < 0 ? answer : answer.substring(0, pause);
      socket.getOutputStream().write(begin.getBytes(StandardCharsets.ISO_8859_1));
      if (pause >= 0) {
        while (socket.getInputStream().read() >= 0) {}
        return;
      }
    }
  }

  /** Receives a request whose body, if there is one, is an object. */
  private static String receive(InputStream in) throws IOException {
    StringBuilder request = new StringBuilder();
    int end = -1;
    int length = 0;
    while (end < 0 || request.length() < end + length) {
      int c = in.read();
      if (c < 0) {
        return "";
      }
      request.append((char) c);
      if (end < 0 && request.indexOf("\r\n\r\n", request.length() - 4) >= 0) {
        end = request.length();
        int field = request.indexOf("Content-Length: ");
        int from = field + "Content-Length: ".length();
        length =
            field < 0
                ? 0
                : Integer.parseInt(request.substring(from, request.indexOf("\r\n", from)));
      }
    }
    return request.toString();
  }

  @Override
  public void close() {
    try {
      listener.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
