package frameworks;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;

/** Sends requests as they stand, and reads the answers. */
public final class Exchange {
  private final String head;
  private final String body;

  private Exchange(String answer) {
    int end = answer.indexOf("\r\n\r\n");
    head = answer.substring(0, end);
    String rest = answer.substring(end + 4);
    body = "chunked".equals(field("Transfer-Encoding")) ? joined(rest) : rest;
  }

  /** Joins the chunks of a body, which has no characters outside ASCII. */
  private static String joined(String chunks) {
    StringBuilder joined = new StringBuilder();
    String rest = chunks;
    while (!rest.startsWith("0\r\n")) {
      int end = rest.indexOf("\r\n");
      int size = Integer.parseInt(rest.substring(0, end), 16);
      joined.append(rest, end + 2, end + 2 + size);
      rest = rest.substring(end + 2 + size + 2);
    }
    return joined.toString();
  }

  public static Exchange of(int port, String request, List<String> fields, String payload)
      throws IOException {
    StringBuilder text = new StringBuilder(request).append(" HTTP/1.1\r\nConnection: close\r\n");
    fields.forEach(field -> text.append(field).append("\r\n"));
    if (fields.stream().noneMatch(field -> field.startsWith("Host:"))) {
      text.append("Host: clinic.example.org\r\n");
    }
    if (!payload.isEmpty() && fields.stream().noneMatch(f -> f.startsWith("Transfer-Encoding:"))) {
      text.append("Content-Length: ")
          .append(payload.getBytes(StandardCharsets.UTF_8).length)
          .append("\r\n");
    }
    try (Socket socket = new Socket("127.0.0.1", port)) {
      socket.setSoTimeout(60_000);
      OutputStream out = socket.getOutputStream();
      out.write(text.append("\r\n").append(payload).toString().getBytes(StandardCharsets.UTF_8));
      out.flush();
      InputStream in = socket.getInputStream();
      return new Exchange(new String(in.readAllBytes(), StandardCharsets.UTF_8));
    }
  }

  public static Exchange get(int port, String target, String... fields) throws IOException {
    return of(port, "GET " + target, List.of(fields), "");
  }

  public static Exchange post(int port, String target, String payload, String... fields)
      throws IOException {
    return of(port, "POST " + target, List.of(fields), payload);
  }

  public int status() {
    return Integer.parseInt(head.substring(9, 12));
  }

  public String body() {
    return body;
  }

  /** Returns the values of a field, joined with commas; null if it is not there. */
  public String field(String name) {
    String found = null;
    for (String line : head.split("\r\n", -1)) {
      if (line.toLowerCase(Locale.ROOT).startsWith(name.toLowerCase(Locale.ROOT) + ":")) {
        String value = line.substring(name.length() + 1).strip();
        found = found == null ? value : found + "," + value;
      }
    }
    return found;
  }

  public String head() {
    return head;
  }
}
