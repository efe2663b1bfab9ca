package front;

import com.wardkeeper.pep.servlet.WardkeeperFilter;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** Sends a request that may pass to the application, and its answer to the person. */
final class Forwarding extends HttpServlet {
  private static final long serialVersionUID = 1L;

  /** What concerns a connection alone, or is set by the client. */
  private static final Set<String> DROPPED =
      Set.of(
          "connection",
          "content-length",
          "expect",
          "host",
          "keep-alive",
          "proxy-authorization",
          "proxy-connection",
          "te",
          "trailer",
          "transfer-encoding",
          "upgrade");

  private final String upstream;
  private final transient HttpClient client =
      HttpClient.newBuilder()
          .version(HttpClient.Version.HTTP_1_1)
          .connectTimeout(Duration.ofSeconds(5))
          .build();

  Forwarding(String upstream) {
    this.upstream = upstream;
  }

  @Override
  protected void service(HttpServletRequest request, HttpServletResponse response)
      throws IOException {
    if (request.getDispatcherType() == DispatcherType.ERROR) {
      return; // Tomcat has refused the request
    }
    try {
      HttpResponse<InputStream> answer =
          client.send(forwarded(request), BodyHandlers.ofInputStream());
      response.setStatus(answer.statusCode());
      for (Map.Entry<String, List<String>> field : answer.headers().map().entrySet()) {
        if (!DROPPED.contains(field.getKey().toLowerCase(Locale.ROOT))) {
          field.getValue().forEach(value -> response.addHeader(field.getKey(), value));
        }
      }
      try (InputStream body = answer.body()) {
        body.transferTo(response.getOutputStream());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      response.sendError(502);
    } catch (IOException e) {
      if (response.isCommitted()) {
        throw e;
      }
      response.sendError(502);
    }
  }

  private HttpRequest forwarded(HttpServletRequest request) throws IOException {
    String query = request.getQueryString();
    URI target =
        URI.create(upstream + request.getRequestURI() + (query == null ? "" : "?" + query));
    HttpRequest.Builder forwarded = HttpRequest.newBuilder(target).timeout(Duration.ofMinutes(1));
    Map<String, String> told = WardkeeperFilter.resultOf(request).fields();
    for (String name : Collections.list(request.getHeaderNames())) {
      boolean replaced = told.keySet().stream().anyMatch(name::equalsIgnoreCase);
      if (!replaced && !DROPPED.contains(name.toLowerCase(Locale.ROOT))) {
        Collections.list(request.getHeaders(name)).forEach(value -> forwarded.header(name, value));
      }
    }
    told.forEach(forwarded::setHeader);
    return forwarded.method(request.getMethod(), body(request)).build();
  }

  private static BodyPublisher body(HttpServletRequest request) throws IOException {
    boolean isChunked = request.getHeader("Transfer-Encoding") != null;
    if (request.getContentLengthLong() <= 0 && !isChunked) {
      return BodyPublishers.noBody();
    }
    InputStream in = request.getInputStream();
    BodyPublisher streamed = BodyPublishers.ofInputStream(() -> in);
    return isChunked
        ? streamed
        : BodyPublishers.fromPublisher(streamed, request.getContentLengthLong());
  }
}
