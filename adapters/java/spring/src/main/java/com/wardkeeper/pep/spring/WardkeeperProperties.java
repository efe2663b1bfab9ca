package com.wardkeeper.pep.spring;

import java.nio.file.Path;
import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.core.io.Resource;

/**
 * The settings of an application.
 *
 * @param url where the decision point is: {@code http://HOST:PORT}, {@code https://HOST} or {@code
 *     unix:/PATH}
 * @param tokenFile a file with the bearer token, which is read for each request; may be null
 * @param caFile the certificate authorities for https; null for those of the system
 * @param timeout bounds a question
 * @param maxConnections bounds the connections to the decision point
 * @param routes the route file that judges all requests; null if the application asks in code
 */
@ConfigurationProperties("wardkeeper")
public record WardkeeperProperties(
    @DefaultValue("http://127.0.0.1:8181") String url,
    Path tokenFile,
    Path caFile,
    @DefaultValue("1s") Duration timeout,
    @DefaultValue("64") int maxConnections,
    Resource routes) {}
