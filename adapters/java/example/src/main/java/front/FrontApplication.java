package front;

import com.wardkeeper.pep.Checker;
import com.wardkeeper.pep.Client;
import com.wardkeeper.pep.routes.RouteTable;
import java.io.IOException;
import java.nio.file.Path;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.autoconfigure.security.servlet.SecurityAutoConfiguration;
import org.springframework.boot.web.servlet.ServletRegistrationBean;
import org.springframework.context.annotation.Bean;

/**
 * Protects an application that cannot be changed: it lets through what may pass, and tells the
 * application who asks and what it is obliged to do.
 *
 * <pre>java ... front.FrontApplication --upstream=http://127.0.0.1:9000 --routes=routes.yaml</pre>
 */
@SpringBootApplication(exclude = SecurityAutoConfiguration.class)
public class FrontApplication {
  /** Starts the front. */
  public static void main(String[] arguments) {
    SpringApplication.run(FrontApplication.class, arguments);
  }

  @Bean
  Checker checker(Client client, @Value("${routes}") Path routes) throws IOException {
    return Checker.telling(RouteTable.load(routes), client);
  }

  @Bean
  ServletRegistrationBean<Forwarding> forwarding(@Value("${upstream}") String upstream) {
    return new ServletRegistrationBean<>(new Forwarding(upstream), "/");
  }
}
