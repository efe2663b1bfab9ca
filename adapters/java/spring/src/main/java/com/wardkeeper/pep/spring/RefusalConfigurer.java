package com.wardkeeper.pep.spring;

import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.config.annotation.web.configurers.AbstractHttpConfigurer;
import org.springframework.security.web.util.matcher.AnyRequestMatcher;

/**
 * Makes {@link RefusalHandler} the default of every filter chain. Spring Security finds it by its
 * factories.
 */
public final class RefusalConfigurer
    extends AbstractHttpConfigurer<RefusalConfigurer, HttpSecurity> {
  @Override
  public void init(HttpSecurity http) throws Exception {
    http.exceptionHandling(
        handling ->
            handling.defaultAccessDeniedHandlerFor(
                new RefusalHandler(), AnyRequestMatcher.INSTANCE));
  }
}
