package com.wardkeeper.pep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.wardkeeper.pep.testing.FakePdp;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class ClientTest {
  private static final Evaluation ASKED =
      Evaluation.of("alice", "user.view", "jane").at("ghi").with("at_least", "t-17");
  private static final String BODY = "{\"decision\":true}";
  private static final String OK =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n" + BODY;
  private static final Duration LONG = Duration.ofSeconds(30);

  private static Client client(Script script) {
    return Client.builder(script.url()).timeout(LONG).build();
  }

  @Test
  void aQuestionIsSentAsItIs() {
    try (Script script = Script.of(List.of(OK));
        Client client =
            Client.builder(script.url() + "/base/").token("s3cret").timeout(LONG).build()) {
      Trace trace =
          new Trace("r-1", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "a=b");
      try (Trace.Scope scope = trace.use()) {
        assertTrue(client.evaluate(ASKED).decision());
      }
      assertEquals(new Trace("", "", ""), Trace.current());
      String sent = script.requests().get(0);
      assertTrue(
          sent.startsWith("POST /base/access/v1/evaluation HTTP/1.1\r\nHost: 127.0.0.1:"), sent);
      for (String field :
          List.of(
              "Accept: application/json",
              "X-Request-ID: r-1",
              "traceparent: " + trace.traceparent(),
              "tracestate: a=b",
              "Authorization: Bearer s3cret",
              "Content-Type: application/json")) {
        assertTrue(sent.contains("\r\n" + field + "\r\n"), sent);
      }
      assertTrue(
          sent.contains(
              "\"resource\":{\"type\":\"user\",\"id\":\"jane\",\"properties\":{\"location\":\"ghi\"}}"),
          sent);
    }
  }

  @Test
  void connectionsAreUsedAgain() {
    try (Script script = Script.of(List.of(OK, OK, OK));
        Client client = client(script)) {
      for (int i = 0; i < 3; i++) {
        client.evaluate(ASKED);
      }
      assertEquals(1, script.accepted());
    }
  }

  @Test
  void aBrokenConnectionIsTriedOnceMore() {
    try (Script script = Script.of(List.of(), List.of(OK));
        Client client = client(script)) {
      assertTrue(client.evaluate(ASKED).decision());
      assertEquals(2, script.accepted());
    }
    try (Script script = Script.of(List.of(), List.of(), List.of(OK));
        Client client = client(script)) {
      assertThrows(UnreachableException.class, () -> client.evaluate(ASKED));
      assertEquals(2, script.accepted());
    }
  }

  @Test
  void anAnswerThatNobodyAskedForIsNotTaken() {
    try (Script script = Script.of(List.of(OK + OK), List.of(OK.replace("true", "null")));
        Client client = client(script)) {
      assertTrue(client.evaluate(ASKED).decision());
      assertThrows(NoAnswerException.class, () -> client.evaluate(ASKED));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nX: "})
  void aSlowAnswerIsNone(String begin) {
    try (Script script = Script.of(List.of(begin + "\0" + OK));
        Client client = Client.builder(script.url()).timeout(Duration.ofMillis(300)).build()) {
      long began = System.nanoTime();
      assertThrows(TimedOutException.class, () -> client.evaluate(ASKED));
      assertTrue(System.nanoTime() - began < Duration.ofSeconds(10).toNanos());
      assertEquals(1, script.accepted());
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "HTTP/1.1 200 OK\nContent-Type: application/json\nContent-Length: 17\n\n" + BODY,
        "HTTP/1.1 200 OK\r\nContent-Type : application/json\r\nContent-Length: 17\r\n\r\n" + BODY,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n folded\r\nContent-Length: 17\r\n\r\n"
            + BODY,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: +17\r\n\r\n" + BODY,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 17, 17\r\n\r\n"
            + BODY,
        "HTTP/2 200 OK\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n" + BODY,
        "HTTP/1.1 20 OK\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n" + BODY,
        "HTTP/1.1 2000\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n" + BODY,
        "HTTP/1.1 101 Switching\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n"
            + BODY,
        "HTTP/1.1 200 OK\r\n"
            + "Content-Type: application/json\r\n"
            + "Transfer-Encoding: gzip, chunked\r\n\r\n"
            + "11\r\n"
            + BODY
            + "\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n"
            + "Content-Type: application/json\r\n"
            + "Transfer-Encoding: chunked\r\n"
            + "Content-Length: 17\r\n\r\n"
            + "11\r\n"
            + BODY
            + "\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n"
            + "Content-Type: application/json\r\n"
            + "Transfer-Encoding: chunked\r\n\r\n"
            + "11\r\n"
            + BODY
            + "\r\n0\r\nX: y\r\n\r\n",
        "HTTP/1.1 200 OK\r\n"
            + "Content-Type: application/json\r\n"
            + "Transfer-Encoding: chunked\r\n\r\n"
            + "100000000\r\n",
        "HTTP/1.1 200 OK\r\n"
            + "Content-Type: application/json\r\n"
            + "Transfer-Encoding: chunked\r\n\r\n"
            + "-1\r\n",
        "HTTP/1.1 200 OK\r\n"
            + "Content-Type: application/json; charset=utf-8; x=y\r\n"
            + "Content-Length: 17\r\n\r\n"
            + BODY,
        "SSH-2.0-OpenSSH\r\n"
      })
  void whatIsNoAnswer(String answer) {
    try (Script script = Script.of(List.of(answer), List.of(OK));
        Client client = client(script)) {
      String problem =
          assertThrows(NoAnswerException.class, () -> client.evaluate(ASKED)).getMessage();
      assertFalse(problem.contains("OpenSSH") || problem.contains("jane"), problem);
      assertEquals(1, script.accepted());
    }
  }

  @Test
  void aLongValueOfBlanksTakesLinearTime() {
    String blanks = " \t".repeat(15_000);
    try (Script script =
            Script.of(
                List.of(
                    "HTTP/1.1 200 OK\r\nX:" + blanks + "x" + blanks + "\r\n" + OK.substring(17)));
        Client client = client(script)) {
      assertTrue(client.evaluate(ASKED).decision());
    }
  }

  @Test
  void statusesAreTold() {
    try (Script script = Script.of(List.of("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"));
        Client client = client(script)) {
      BadStatusException e = assertThrows(BadStatusException.class, () -> client.evaluate(ASKED));
      assertEquals(401, e.status());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"a\nb", "a\r\nX: y", "\u20ac"})
  void aTokenThatWouldEndItsField(String token) {
    try (Script script = Script.of(List.of(OK));
        Client client = Client.builder(script.url()).token(token).build()) {
      assertThrows(NoAnswerException.class, () -> client.evaluate(ASKED));
      assertEquals(0, script.accepted());
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "http://",
        "http://:80",
        "http:///x",
        "ftp://h",
        "//h",
        "h:80",
        "http://u:p@h",
        "http://h:0",
        "http://h:65536",
        "http://h:8x",
        "http://[::1",
        "http://::1",
        "http://h?x",
        "http://h#x",
        "http://h/a b",
        "http://h\\@x",
        "unix:relative",
        "unix://host/x"
      })
  void noDecisionPointIsThere(String url) {
    String problem =
        assertThrows(IllegalArgumentException.class, () -> Client.of(url)).getMessage();
    assertTrue(problem.contains("use "), problem);
    assertFalse(problem.contains("u:p"), problem);
  }

  @Test
  void aRefusedConnectionIsNotTriedAgain() {
    String url;
    try (Script script = Script.of(List.of())) {
      url = script.url();
    }
    try (Client client = Client.of(url)) {
      assertThrows(UnreachableException.class, () -> client.evaluate(ASKED));
    }
    try (Client client = Client.of("unix:/nowhere/pdp.sock")) {
      assertThrows(UnreachableException.class, () -> client.evaluate(ASKED));
    }
  }

  @Test
  void anInterruptedThreadGetsNoAnswer() throws InterruptedException {
    try (Script script = Script.of(List.of("\0"));
        Client client = client(script)) {
      AtomicReference<Throwable> problem = new AtomicReference<>();
      CountDownLatch kept = new CountDownLatch(1);
      Thread thread =
          new Thread(
              () -> {
                problem.set(assertThrows(NoAnswerException.class, () -> client.evaluate(ASKED)));
                if (Thread.currentThread().isInterrupted()) {
                  kept.countDown();
                }
              });
      thread.start();
      while (script.requests().isEmpty()) {
        Thread.sleep(5);
      }
      thread.interrupt();
      thread.join();
      assertEquals("the thread was interrupted", problem.get().getMessage());
      assertEquals(0, kept.getCount());
    }
  }

  @Test
  void batchesAreSplit() {
    try (FakePdp pdp = FakePdp.start().permit("user.view");
        Client client = Client.builder(pdp.url()).batchSize(3).timeout(LONG).build()) {
      List<Evaluation> questions = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        questions.add(Evaluation.of("alice", i % 2 == 0 ? "user.view" : "user.edit", "u" + i));
      }
      List<Boolean> decisions = client.decide(questions).stream().map(Response::decision).toList();
      assertEquals(List.of(true, false, true, false, true, false, true, false), decisions);
      assertEquals(8, pdp.asked().size());
      assertEquals(List.of(), client.decide(List.of()));
    }
  }

  @Test
  void listsArePaged() {
    List<String> ids = List.of("a", "b", "c", "d", "e");
    try (FakePdp pdp = FakePdp.start().list(ids);
        Client client = Client.builder(pdp.url()).timeout(LONG).build()) {
      Search search = Search.users("alice", "user.view").limit(2);
      assertEquals(ids, client.search(Search.Kind.RESOURCE, search).map(Hit::id).toList());
      Page page = client.page(Search.Kind.RESOURCE, search);
      assertEquals(2, page.hits().size());
      assertEquals(
          "c",
          client.page(Search.Kind.RESOURCE, search.after(page.nextToken())).hits().get(0).id());
    }
  }

  @Test
  void aListThatGoesInCirclesEnds() {
    String body =
        "{\"results\":[{\"type\":\"user\",\"id\":\"a\"}],\"page\":{\"next_token\":\"x\"}}";
    String page =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
            + body.length()
            + "\r\n\r\n"
            + body;
    try (Script script = Script.of(List.of(page, page, page));
        Client client = client(script)) {
      List<Hit> hits = new ArrayList<>();
      assertThrows(
          NoAnswerException.class,
          () ->
              client
                  .search(Search.Kind.RESOURCE, Search.users("alice", "user.view"))
                  .forEach(hits::add));
      assertEquals(1, hits.size());
      assertEquals(2, script.requests().size());
    }
  }

  @Test
  void endpointsAreDiscovered() {
    try (FakePdp pdp = FakePdp.start().permit("user.view");
        Client client = Client.builder(pdp.url()).timeout(LONG).discover()) {
      assertTrue(client.evaluate(ASKED).decision());
      assertEquals(pdp.url(), client.metadata().policyDecisionPoint());
      String other = pdp.url().replace("127.0.0.1", "localhost");
      assertThrows(NoAnswerException.class, () -> Client.builder(other).timeout(LONG).discover());
    }
  }

  @Test
  void whatCannotBeSentIsNotAsked() {
    try (Script script = Script.of(List.of(OK));
        Client client = client(script)) {
      Evaluation odd = ASKED.with("odd", Map.of("x", new Object()));
      assertThrows(NoAnswerException.class, () -> client.evaluate(odd));
      assertEquals(0, script.accepted());
    }
  }

  @Test
  void anOverloadedDecisionPointPermitsNothing() {
    try (FakePdp pdp = FakePdp.start().permit("user.view").fail(true);
        Client client = Client.builder(pdp.url()).timeout(LONG).build()) {
      assertThrows(BadStatusException.class, () -> client.evaluate(ASKED));
      pdp.fail(false);
      assertTrue(client.evaluate(ASKED).decision());
    }
  }
}
