package com.wardkeeper.pep.servlet;

import jakarta.servlet.ReadListener;
import jakarta.servlet.ServletInputStream;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/** A request whose body can be read before the application reads it. */
final class RewoundRequest extends HttpServletRequestWrapper {
  private byte[] body; // null if it has not been read
  private ServletInputStream stream;
  private BufferedReader reader;

  RewoundRequest(HttpServletRequest request) {
    super(request);
  }

  /** Returns the whole body, or the beginning of one that is longer than the limit. */
  byte[] body(int limit) throws IOException {
    long length = getContentLengthLong();
    if (length > limit) {
      return new byte[limit + 1]; // it is not accepted, whatever it has
    }
    byte[] read = super.getInputStream().readNBytes(limit + 1);
    if (length >= 0 && read.length < length) {
      throw new EOFException();
    }
    body = read;
    return read;
  }

  @Override
  public ServletInputStream getInputStream() throws IOException {
    if (body == null) {
      return super.getInputStream();
    }
    if (reader != null) {
      throw new IllegalStateException("the body is being read by a reader");
    }
    if (stream == null) {
      stream = new Bytes(body);
    }
    return stream;
  }

  @Override
  public BufferedReader getReader() throws IOException {
    if (body == null) {
      return super.getReader();
    }
    if (stream != null) {
      throw new IllegalStateException("the body is being read by a stream");
    }
    if (reader == null) { // what was read is JSON, which is in UTF-8
      ByteArrayInputStream in = new ByteArrayInputStream(body);
      reader = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8));
    }
    return reader;
  }

  /** Bytes that are there already. */
  private static final class Bytes extends ServletInputStream {
    private final ByteArrayInputStream in;

    Bytes(byte[] bytes) {
      this.in = new ByteArrayInputStream(bytes);
    }

    @Override
    public boolean isFinished() {
      return in.available() == 0;
    }

    @Override
    public boolean isReady() {
      return true;
    }

    @Override
    public void setReadListener(ReadListener listener) {
      try {
        if (!isFinished()) {
          listener.onDataAvailable();
        }
        listener.onAllDataRead();
      } catch (IOException e) {
        listener.onError(e);
      }
    }

    @Override
    public int read() {
      return in.read();
    }

    @Override
    public int read(byte[] into, int offset, int length) {
      return in.read(into, offset, length);
    }
  }
}
