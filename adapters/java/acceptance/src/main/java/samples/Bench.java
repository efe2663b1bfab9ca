package samples;

import com.wardkeeper.pep.Client;
import com.wardkeeper.pep.Enforcer;
import com.wardkeeper.pep.Evaluation;
import com.wardkeeper.pep.json.Json;
import com.wardkeeper.pep.json.MalformedJsonException;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.Callable;

/**
 * Measures what a question costs the client, beside a bare HTTP request of the JDK to the same
 * server: it asks sidecars one question after the other. See bench.
 */
final class Bench {
  private static final int WARM = 5000;
  private static final int TIMES = 10_000;
  private static final Evaluation ASKED =
      Evaluation.of("alice", "user.view", "jane").with("current_location", "metro");
  private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

  private Bench() {}

  public static void main(String[] urls) throws Exception {
    for (String url : urls) {
      OUT.println(url);
      if (!url.startsWith("unix:")) { // which java.net.http does not have
        HttpClient bare = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        measure("java.net.http", () -> send(bare, url));
      }
      try (Client client = Client.builder(url).timeout(Duration.ofSeconds(10)).build()) {
        measure("Client.evaluate", () -> client.evaluate(ASKED));
        Enforcer enforcer = new Enforcer(client, Map.of());
        measure("Enforcer.enforce", () -> enforcer.enforce(ASKED));
      }
    }
  }

  private static Object send(HttpClient client, String url)
      throws IOException, InterruptedException, MalformedJsonException {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create(url + "/access/v1/evaluation"))
            .header("Content-Type", "application/json")
            .POST(BodyPublishers.ofByteArray(Json.write(ASKED.message())))
            .build();
    return Json.parse(client.send(request, BodyHandlers.ofByteArray()).body());
  }

  private static void measure(String name, Callable<?> ask) throws Exception {
    for (int i = 0; i < WARM; i++) {
      ask.call();
    }
    com.sun.management.OperatingSystemMXBean system =
        (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    long wall = System.nanoTime();
    long processor = system.getProcessCpuTime();
    for (int i = 0; i < TIMES; i++) {
      ask.call();
    }
    wall = System.nanoTime() - wall;
    processor = system.getProcessCpuTime() - processor;
    OUT.printf(
        "  %-20s %6.0f µs %6.0f µs of the processor%n",
        name, wall / 1e3 / TIMES, processor / 1e3 / TIMES);
  }
}
