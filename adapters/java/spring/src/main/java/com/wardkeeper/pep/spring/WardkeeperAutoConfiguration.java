package com.wardkeeper.pep.spring;

import com.wardkeeper.pep.Checker;
import com.wardkeeper.pep.Client;
import com.wardkeeper.pep.Decider;
import com.wardkeeper.pep.Enforcer;
import com.wardkeeper.pep.Handler;
import com.wardkeeper.pep.identity.TokenVerifier;
import com.wardkeeper.pep.routes.RouteTable;
import com.wardkeeper.pep.servlet.WardkeeperFilter;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.springframework.beans.factory.ListableBeanFactory;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnWebApplication;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.Ordered;
import org.springframework.security.authorization.AuthorizationManager;

/**
 * Makes the beans of an application: client, enforcer, filter, and with Spring Security {@link
 * Wardkeeper}. A bean of the application's own takes the place of any of them.
 *
 * <p>Beans of the type {@link Handler} do obligations: the name of each is the kind that it does,
 * such as {@code notification} or {@code custom/confirm}.
 */
@AutoConfiguration
@ConditionalOnWebApplication(type = ConditionalOnWebApplication.Type.SERVLET)
@EnableConfigurationProperties(WardkeeperProperties.class)
public class WardkeeperAutoConfiguration {
  /** Before the filters of Spring Security, and after those that set the encoding and observe. */
  private static final int ORDER = Ordered.HIGHEST_PRECEDENCE + 100;

  /** Returns the client of the settings. */
  @Bean
  @ConditionalOnMissingBean(Decider.class)
  public Client wardkeeperClient(WardkeeperProperties properties) {
    Client.Builder builder =
        Client.builder(properties.url())
            .timeout(properties.timeout())
            .maxConnections(properties.maxConnections());
    if (properties.caFile() != null) {
      builder.caFile(properties.caFile());
    }
    if (properties.tokenFile() != null) {
      builder.token(() -> read(properties.tokenFile()));
    }
    return builder.build();
  }

  private static String read(Path file) {
    try {
      return Files.readString(file).strip();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Returns the enforcer, with the handlers that are beans. */
  @Bean
  @ConditionalOnMissingBean
  public Enforcer wardkeeperEnforcer(Decider decider, ListableBeanFactory beans) {
    Map<String, Handler> handlers = new HashMap<>(beans.getBeansOfType(Handler.class));
    return new Enforcer(decider, handlers);
  }

  /** Returns the checker of the route file. */
  @Bean
  @ConditionalOnMissingBean
  @ConditionalOnProperty("wardkeeper.routes")
  public Checker wardkeeperChecker(
      WardkeeperProperties properties, Enforcer enforcer, ObjectProvider<TokenVerifier> verifiers)
      throws IOException {
    RouteTable table;
    try (InputStream in = properties.routes().getInputStream()) {
      table = RouteTable.parse(in.readNBytes(RouteTable.MAX_FILE + 1));
    }
    TokenVerifier verifier = verifiers.getIfAvailable();
    return verifier == null ? Checker.of(table, enforcer) : Checker.of(table, enforcer, verifier);
  }

  /** Returns the filter for all requests. */
  @Bean
  @ConditionalOnMissingBean(name = "wardkeeperFilter")
  public FilterRegistrationBean<WardkeeperFilter> wardkeeperFilter(
      ObjectProvider<Checker> checkers, ObjectProvider<ProxyProof> proofs) {
    Checker checker = checkers.getIfAvailable();
    ProxyProof proof = proofs.getIfAvailable(() -> request -> false);
    WardkeeperFilter filter =
        checker == null
            ? WardkeeperFilter.forQuestionsInCode()
            : new WardkeeperFilter(checker, proof::isFromProxy);
    FilterRegistrationBean<WardkeeperFilter> registration = new FilterRegistrationBean<>(filter);
    registration.setOrder(ORDER);
    return registration;
  }

  /** What needs Spring Security. */
  @Configuration(proxyBeanMethods = false)
  @ConditionalOnClass(AuthorizationManager.class)
  static class SecurityBeans {
    /** Returns the bean that asks in code. */
    @Bean
    @ConditionalOnMissingBean
    Wardkeeper wardkeeper(
        Enforcer enforcer,
        ObjectProvider<Place> places,
        ObjectProvider<Confirmation> confirmations) {
      return new Wardkeeper(
          enforcer,
          places.getIfAvailable(() -> request -> Map.of()),
          confirmations.getIfAvailable(() -> Confirmation.BY_HEADER));
    }
  }
}
