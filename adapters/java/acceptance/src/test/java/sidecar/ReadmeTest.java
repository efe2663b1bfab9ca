package sidecar;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import frameworks.Exchange;
import jakarta.servlet.http.HttpServlet;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import org.apache.catalina.Context;
import org.apache.catalina.startup.Tomcat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.web.servlet.context.ServletWebServerApplicationContext;
import org.springframework.context.ConfigurableApplicationContext;

/**
 * What README.md has a person paste is pasted by check, and works. Its test runs with the others.
 */
class ReadmeTest {
  @TempDir private Path folder;

  private static Exchange get(int port, String target, String credentials) throws IOException {
    byte[] bytes = credentials.getBytes(StandardCharsets.UTF_8);
    String encoded = Base64.getEncoder().encodeToString(bytes);
    return Exchange.get(port, target, "Authorization: Basic " + encoded);
  }

  @Test
  void springSecurity() throws Exception {
    try (Sidecar sidecar = Sidecar.start();
        ConfigurableApplicationContext application =
            SpringApplication.run(
                Class.forName("clinic.Clinic"),
                "--spring.config.location=file:readme/application.properties",
                "--wardkeeper.url=" + sidecar.url(),
                "--wardkeeper.timeout=30s",
                "--server.port=0")) {
      int port = ((ServletWebServerApplicationContext) application).getWebServer().getPort();
      Exchange shown = get(port, "/users/jane", "alice:secret");
      assertEquals(200, shown.status(), shown.body());
      assertTrue(shown.body().contains("\"user.edit\":true"), shown.body());
      assertTrue(shown.body().contains("\"user.reactivate\":false"), shown.body());
      Exchange denied = get(port, "/users/lucy", "alice:secret");
      assertEquals(403, denied.status());
      assertTrue(denied.body().contains("\"reasons\""), denied.body());
      assertEquals(401, get(port, "/users/jane", "alice:wrong").status());
    }
  }

  @Test
  void aServletContainer() throws Exception {
    Path routes = Path.of("routes.yaml");
    Files.copy(Path.of("readme/routes.yaml"), routes);
    Tomcat tomcat = new Tomcat();
    try {
      tomcat.setBaseDir(folder.toString());
      tomcat.setPort(0);
      tomcat.getConnector();
      Context context = tomcat.addContext("", folder.toString());
      context.addApplicationListener("clinic.Protection");
      Tomcat.addServlet(
          context,
          "pages",
          new HttpServlet() {
            private static final long serialVersionUID = 1L;
          });
      context.addServletMappingDecoded("/", "pages");
      tomcat.start();
      int port = tomcat.getConnector().getLocalPort();
      assertEquals(401, Exchange.get(port, "/users/jane").status());
      assertEquals(403, Exchange.get(port, "/elsewhere").status());
    } finally {
      tomcat.stop();
      tomcat.destroy();
      Files.delete(routes);
    }
  }
}
