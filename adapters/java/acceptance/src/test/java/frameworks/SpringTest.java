package frameworks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.wardkeeper.pep.Handler;
import com.wardkeeper.pep.Hit;
import com.wardkeeper.pep.Search;
import com.wardkeeper.pep.spring.Place;
import com.wardkeeper.pep.spring.UserList;
import com.wardkeeper.pep.spring.Wardkeeper;
import com.wardkeeper.pep.testing.FakePdp;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.web.server.LocalServerPort;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Import;
import org.springframework.data.domain.KeysetScrollPosition;
import org.springframework.data.domain.PageRequest;
import org.springframework.data.domain.Pageable;
import org.springframework.data.domain.ScrollPosition;
import org.springframework.data.domain.Slice;
import org.springframework.data.domain.Sort;
import org.springframework.data.domain.Window;
import org.springframework.http.ResponseEntity;
import org.springframework.security.access.prepost.PreAuthorize;
import org.springframework.security.authentication.UsernamePasswordAuthenticationToken;
import org.springframework.security.authorization.AuthorizationDeniedException;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.method.configuration.EnableMethodSecurity;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.context.SecurityContextHolder;
import org.springframework.security.core.userdetails.User;
import org.springframework.security.core.userdetails.UserDetailsService;
import org.springframework.security.provisioning.InMemoryUserDetailsManager;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.stereotype.Component;
import org.springframework.test.context.DynamicPropertyRegistry;
import org.springframework.test.context.DynamicPropertySource;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;

/** Questions in code, in Spring Boot with Spring Security. */
@SpringBootTest(
    classes = SpringTest.Application.class,
    webEnvironment = SpringBootTest.WebEnvironment.RANDOM_PORT,
    properties = {"wardkeeper.timeout=30s", "spring.main.banner-mode=off"})
class SpringTest {
  private static final FakePdp PDP = FakePdp.start();
  private static final List<String> DONE = new CopyOnWriteArrayList<>();
  private static final String ALICE = "Authorization: Basic " + basic("alice:secret");

  @LocalServerPort private int port;
  @Autowired private Users users;
  @Autowired private Wardkeeper wardkeeper;
  @Autowired private UserList list;

  private static String basic(String credentials) {
    return Base64.getEncoder().encodeToString(credentials.getBytes(StandardCharsets.UTF_8));
  }

  @DynamicPropertySource
  static void properties(DynamicPropertyRegistry registry) {
    registry.add("wardkeeper.url", PDP::url);
  }

  @SpringBootApplication
  @EnableMethodSecurity
  @Import({Users.class, Pages.class})
  static class Application {
    @Bean("notification")
    Handler notification() {
      return new Handler(
          o -> true, o -> DONE.add("before " + o.id()), o -> DONE.add("after " + o.id()));
    }

    @Bean("custom/confirm")
    Handler confirm() {
      return Handler.shown();
    }

    @Bean
    Place place() {
      return request -> {
        if ("fault".equals(request.getParameter("at"))) {
          throw new IllegalStateException("jane");
        }
        return Map.of("current_location", "metro");
      };
    }

    @Bean
    UserDetailsService people() {
      return new InMemoryUserDetailsManager(
          User.withUsername("alice").password("{noop}secret").build());
    }

    @Bean
    SecurityFilterChain chain(HttpSecurity http, Wardkeeper wardkeeper) throws Exception {
      return http.authorizeHttpRequests(
              all ->
                  all.requestMatchers("/listed/{id}")
                      .access(wardkeeper.access("user.view", "id"))
                      .requestMatchers("/misnamed/{user}")
                      .access(wardkeeper.access("user.view", "id"))
                      .requestMatchers("/forbidden")
                      .denyAll()
                      .anyRequest()
                      .authenticated())
          .httpBasic(Customizer.withDefaults())
          .csrf(csrf -> csrf.disable())
          .build();
    }
  }

  @Component
  static class Users {
    @PreAuthorize("@wardkeeper.may('user.view', #id)")
    public String show(String id) {
      return "shown " + id;
    }

    @PreAuthorize("@wardkeeper.may('user.delete', #id, 'ghi')")
    public String delete(String id) {
      return "deleted " + id;
    }
  }

  @RestController
  static class Pages {
    private final Users users;
    private final Wardkeeper wardkeeper;

    Pages(Users users, Wardkeeper wardkeeper) {
      this.users = users;
      this.wardkeeper = wardkeeper;
    }

    @GetMapping("/users/{id}")
    String show(@PathVariable("id") String id) {
      return users.show(id) + users.show(id);
    }

    @GetMapping("/listed/{id}")
    String listed(@PathVariable("id") String id) {
      return users.show(id);
    }

    @GetMapping("/misnamed/{user}")
    String misnamed() {
      return "shown";
    }

    @GetMapping("/later/{id}")
    Callable<String> later(@PathVariable("id") String id) {
      return () -> users.show(id);
    }

    @PostMapping("/both/{id}")
    String both(@PathVariable("id") String id) {
      return users.show(id) + users.delete(id);
    }

    @GetMapping("/fails/{id}")
    ResponseEntity<String> fails(@PathVariable("id") String id) {
      return ResponseEntity.internalServerError().body(users.show(id));
    }

    @GetMapping("/can/{id}")
    Map<String, Boolean> can(@PathVariable("id") String id) {
      return wardkeeper.can(List.of("user.view", "user.delete"), id);
    }
  }

  @BeforeEach
  void reset() {
    PDP.fail(false);
    for (String action : List.of("user.view", "user.delete")) {
      PDP.deny(action, "Not one of yours.");
    }
    DONE.clear();
  }

  private Exchange get(String target, String... more) throws IOException {
    List<String> fields = new ArrayList<>(List.of(more));
    fields.add(ALICE);
    return Exchange.of(port, "GET " + target, fields, "");
  }

  @Test
  void aQuestionIsEnforcedOnceInARequest() throws IOException {
    PDP.permit("user.view", "notification", Map.of());
    int before = PDP.asked().size();
    Exchange answer = get("/users/jane");
    assertEquals("200 shown janeshown jane", answer.status() + " " + answer.body());
    assertEquals(List.of("before TEST/notification", "after TEST/notification"), DONE);
    assertEquals(before + 1, PDP.asked().size());
    FakePdp.Asked asked = PDP.asked().get(before);
    assertEquals(
        "alice jane metro",
        asked.subject() + " " + asked.resource() + " " + asked.context().get("current_location"));
    assertEquals(List.of("custom", "notification"), asked.context().get("supported_obligations"));
    get("/users/jane");
    assertEquals(before + 2, PDP.asked().size());
  }

  @Test
  void aDenialHasItsReasons() throws IOException {
    for (String target : List.of("/users/jane", "/listed/jane", "/later/jane")) {
      Exchange answer = get(target, "X-Request-ID: r-1");
      assertEquals(403, answer.status(), target);
      assertEquals("application/problem+json", answer.field("Content-Type"));
      assertEquals("r-1", answer.field("X-Request-ID"));
      assertTrue(answer.body().contains("\"detail\":\"Not one of yours.\""), answer.body());
    }
  }

  @Test
  void managersOfRequests() throws IOException {
    PDP.permit("user.view");
    int before = PDP.asked().size();
    assertEquals(200, get("/listed/jane").status());
    assertEquals(before + 1, PDP.asked().size()); // also by the method
    assertEquals(403, get("/misnamed/jane").status());
    assertEquals(before + 1, PDP.asked().size());
  }

  @Test
  void nothingIsDueAfterAFailure() throws IOException {
    PDP.permit("user.view", "notification", Map.of());
    assertEquals(500, get("/fails/jane").status());
    assertEquals(List.of("before TEST/notification"), DONE);
  }

  @Test
  void whatSpringSecurityDeniesByItself() throws IOException {
    Exchange answer = get("/forbidden");
    assertEquals(403, answer.status());
    assertFalse(answer.body().contains("\"code\""), answer.body());
    Exchange anonymous = Exchange.get(port, "/listed/jane");
    assertEquals(401, anonymous.status());
    assertTrue(anonymous.field("WWW-Authenticate").startsWith("Basic"));
  }

  @Test
  void thereIsNoAnswer() throws IOException {
    PDP.permit("user.view");
    assertEquals(503, get("/users/jane?at=fault").status());
    PDP.fail(true);
    assertEquals(503, get("/users/jane").status());
    assertEquals("1", get("/listed/jane").field("Retry-After"));
    assertEquals("{\"user.view\":false,\"user.delete\":false}", get("/can/jane").body());
  }

  @Test
  void aConfirmationCountsForOneQuestion() throws IOException {
    PDP.permitOnceConfirmed("user.view", "multiple_locations");
    Exchange asked = get("/users/jane");
    assertEquals(403, asked.status());
    assertTrue(asked.body().contains("\"code\":\"confirmation_required\""), asked.body());
    assertEquals(200, get("/users/jane", "X-Confirmed: true").status());
    PDP.permitOnceConfirmed("user.delete", "no_other_admin");
    Exchange both = Exchange.post(port, "/both/jane", "", ALICE, "X-Confirmed: true");
    assertTrue(both.body().contains("no_other_admin"), both.body());
    PDP.permit("user.view"); // which has not to be confirmed, so that the other is
    assertEquals(200, Exchange.post(port, "/both/jane", "", ALICE, "X-Confirmed: true").status());
  }

  @Test
  void whatAPageOffers() throws IOException {
    PDP.permit("user.view");
    int before = PDP.asked().size();
    assertEquals("{\"user.view\":true,\"user.delete\":false}", get("/can/jane").body());
    assertEquals("metro", PDP.asked().get(before).context().get("current_location"));
  }

  @Test
  void outsideOfARequest() {
    SecurityContextHolder.getContext()
        .setAuthentication(
            UsernamePasswordAuthenticationToken.authenticated("alice", "", List.of()));
    try {
      PDP.permit("user.view");
      assertEquals("shown jane", users.show("jane"));
      PDP.permit("user.view", "notification", Map.of());
      assertThrows(AuthorizationDeniedException.class, () -> users.show("jane"));
      assertEquals(List.of("before TEST/notification"), DONE);
      pages();
    } finally {
      SecurityContextHolder.clearContext();
    }
    assertEquals(Map.of("user.view", false), wardkeeper.can(List.of("user.view"), "jane"));
  }

  private void pages() {
    PDP.list(List.of("a", "b", "c", "d", "e"));
    Search search = wardkeeper.users("user.view").limit(2);
    KeysetScrollPosition position = ScrollPosition.keyset();
    List<String> found = new ArrayList<>();
    Window<Hit> window;
    do {
      window = list.window(search, position);
      window.map(Hit::id).forEach(found::add);
      position = (KeysetScrollPosition) window.positionAt(window.size() - 1);
    } while (window.hasNext());
    assertEquals(List.of("a", "b", "c", "d", "e"), found);
    Slice<Hit> slice = list.slice(search, PageRequest.of(1, 2));
    assertEquals(List.of("c", "d"), slice.map(Hit::id).getContent());
    assertTrue(slice.hasNext());
    assertFalse(list.slice(search, PageRequest.of(2, 2)).hasNext());
    assertThrows(
        IllegalArgumentException.class,
        () -> list.slice(search, PageRequest.of(0, 2, Sort.by("id"))));
    assertThrows(IllegalArgumentException.class, () -> list.slice(search, Pageable.unpaged()));
    assertEquals(Set.of("a", "b", "c", "d", "e"), list.ids(search, 5));
    assertThrows(IllegalArgumentException.class, () -> list.ids(search, 4));
  }
}
