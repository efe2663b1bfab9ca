package com.wardkeeper.pep.identity;

import java.io.IOException;
import java.io.InputStream;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A key set in a file. If a new one cannot be used, the last good one is, and it is not read again
 * until it changes.
 */
final class FileKeys implements Keys {
  private static final Logger LOG = System.getLogger("com.wardkeeper.pep");

  private final Path file;
  private final ReentrantLock lock = new ReentrantLock(); // guards what follows
  private String state;
  private List<Key> keys;

  FileKeys(Path file) {
    this.file = file;
    try {
      state = stateOf(file);
      keys = read();
    } catch (IOException e) {
      throw new IllegalArgumentException(
          "the file of the issuer's keys cannot be used: " + file, e);
    }
  }

  @Override
  public List<Key> find(String algorithm, String keyId) throws TokenInvalidException {
    List<Key> found = Keys.matching(current(), algorithm, keyId);
    if (found.isEmpty()) {
      throw Keys.noKey();
    }
    return found;
  }

  private List<Key> current() {
    lock.lock();
    try {
      String now = stateOf(file);
      if (!now.equals(state)) {
        state = now; // also if what follows fails
        keys = read();
      }
    } catch (IOException e) {
      LOG.log(
          Level.WARNING,
          "the file of the issuer''s keys cannot be used, the last one is: {0}",
          e.getClass().getSimpleName());
    } finally {
      lock.unlock();
    }
    return keys;
  }

  private List<Key> read() throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      return KeySet.parse(in.readNBytes(KeySet.MAX_BYTES + 1));
    }
  }

  private static String stateOf(Path file) throws IOException {
    BasicFileAttributes attributes = Files.readAttributes(file, BasicFileAttributes.class);
    return attributes.lastModifiedTime() + " " + attributes.size() + " " + attributes.fileKey();
  }
}
