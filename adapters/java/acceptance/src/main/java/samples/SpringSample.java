package samples;

import com.wardkeeper.pep.Checker;
import com.wardkeeper.pep.Handler;
import java.util.HashMap;
import java.util.Map;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.web.embedded.tomcat.TomcatServletWebServerFactory;
import org.springframework.boot.web.server.WebServerFactoryCustomizer;
import org.springframework.boot.web.servlet.ServletRegistrationBean;
import org.springframework.context.annotation.Bean;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.web.SecurityFilterChain;

/** The sample application in Spring Boot, where a route file judges all requests. */
@SpringBootApplication
public class SpringSample {
  public static void main(String[] arguments) {
    SpringApplication application = new SpringApplication(SpringSample.class);
    Map<String, Object> settings = new HashMap<>();
    settings.put("server.address", "127.0.0.1");
    settings.put("server.port", Sample.port());
    settings.put("spring.main.banner-mode", "off");
    settings.put("wardkeeper.url", Sample.environment("PDP_URL"));
    settings.put("wardkeeper.token-file", Sample.environment("PDP_TOKEN_FILE"));
    settings.put("wardkeeper.ca-file", Sample.environment("PDP_CA_FILE"));
    settings.put("wardkeeper.routes", "file:" + Sample.environment("ROUTES_FILE"));
    if (!Sample.environment("PDP_TIMEOUT").isEmpty()) {
      settings.put("wardkeeper.timeout", Sample.environment("PDP_TIMEOUT") + "s");
    }
    application.setDefaultProperties(settings);
    application.run(arguments);
  }

  @Bean("notification")
  Handler notification() {
    return Sample.handlers().get("notification");
  }

  @Bean("custom/confirm")
  Handler confirm() {
    return Handler.shown();
  }

  @Bean
  ServletRegistrationBean<Sample.Pages> pages(Checker checker) {
    return new ServletRegistrationBean<>(new Sample.Pages(checker), "/");
  }

  @Bean
  SecurityFilterChain open(HttpSecurity http) throws Exception {
    return http.authorizeHttpRequests(all -> all.anyRequest().permitAll())
        .csrf(csrf -> csrf.disable())
        .build();
  }

  @Bean
  WebServerFactoryCustomizer<TomcatServletWebServerFactory> tolerant() {
    return factory ->
        factory.addConnectorCustomizers(
            connector -> {
              connector.setProperty("relaxedPathChars", "\"<>[\\]^`{|}");
              connector.setProperty("relaxedQueryChars", "\"<>[\\]^`{|}");
            });
  }
}
