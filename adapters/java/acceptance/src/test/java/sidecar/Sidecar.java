package sidecar;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A running sidecar. These tests need the programs in the folder BIN, and the files of CHECKOUT.
 */
final class Sidecar implements AutoCloseable {
  static final Path ROOT = Path.of(System.getenv("CHECKOUT"));
  static final Path BIN = Path.of(System.getenv("BIN"));
  static final Path SAMPLE = ROOT.resolve("testdata/directories/sample.yaml");

  private final Process process;
  private final String url;

  private Sidecar(Process process, String url) {
    this.process = process;
    this.url = url;
  }

  static Sidecar start() {
    return start(SAMPLE);
  }

  static Sidecar start(Path directory) {
    try {
      String url = "unix:" + Files.createTempDirectory("pdp").resolve("pdp.sock");
      Process process =
          new ProcessBuilder(
                  BIN.resolve("wardkeeper").toString(),
                  "serve",
                  "--addr",
                  url,
                  "--directory",
                  directory.toString())
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start();
      StringBuilder said = new StringBuilder();
      BufferedReader log = process.errorReader();
      for (String line = log.readLine(); line != null; line = log.readLine()) {
        said.append(line).append('\n');
        if (line.contains("wardkeeper serves ")) {
          Thread rest = new Thread(() -> log.lines().forEach(any -> {}));
          rest.setDaemon(true);
          rest.start();
          return new Sidecar(process, url);
        }
      }
      throw new IllegalStateException("the sidecar has ended: " + said);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  String url() {
    return url;
  }

  @Override
  public void close() {
    process.destroy();
    try {
      process.waitFor();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
