package users;

import com.wardkeeper.pep.Handler;
import com.wardkeeper.pep.spring.Confirmation;
import com.wardkeeper.pep.spring.Place;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.method.configuration.EnableMethodSecurity;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.userdetails.User;
import org.springframework.security.core.userdetails.UserDetailsService;
import org.springframework.security.web.SecurityFilterChain;

/**
 * A user administration: a list, and a page for each user with buttons for what the person who
 * looks at it may do.
 *
 * <pre>
 * make dist run
 * mvn -f adapters/java/example spring-boot:run
 * </pre>
 *
 * <p>Sign in as alice, and look at /users/jane. The password is "secret" for everybody: an
 * application of your own knows better.
 */
@SpringBootApplication
@EnableMethodSecurity
public class UsersApplication {
  /** Starts the application. */
  public static void main(String[] arguments) {
    SpringApplication.run(UsersApplication.class, arguments);
  }

  /** What has been done, in order. */
  @Bean
  List<String> outbox() {
    return new CopyOnWriteArrayList<>();
  }

  @Bean("session_termination")
  Handler endSessions(List<String> outbox) {
    return Handler.after(o -> outbox.add("end the sessions of " + o.properties().get("subject")));
  }

  @Bean(Handler.CONFIRM)
  Handler confirm() {
    return Handler.shown(); // by ConfirmPage
  }

  @Bean
  Confirmation confirmation() {
    return request -> "true".equals(request.getParameter("confirmed"));
  }

  @Bean
  Place place() {
    return request -> {
      String at = request.getParameter("at");
      return Map.of("current_location", at == null ? "metro" : at);
    };
  }

  @Bean
  UserDetailsService people() {
    return name -> User.withUsername(name).password("{noop}secret").build();
  }

  @Bean
  SecurityFilterChain chain(HttpSecurity http) throws Exception {
    return http.authorizeHttpRequests(all -> all.anyRequest().authenticated())
        .httpBasic(Customizer.withDefaults())
        .exceptionHandling(handling -> handling.accessDeniedHandler(new ConfirmPage()))
        .build();
  }
}
