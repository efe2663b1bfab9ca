import asyncio
import contextlib
import json
import socket
import threading
import time
from datetime import datetime, timezone

import pytest

from wardkeeper_pep import (
    AsyncClient,
    BadStatus,
    Claim,
    Client,
    Entity,
    NoAnswer,
    Response,
    Search,
    TimedOut,
    Trace,
    Unreachable,
    question,
    using_trace,
)
from wardkeeper_pep._http import Answer
from wardkeeper_pep.testing import FakePdp

ASKED = question("alice", "user.view", "jane", location="ghi", context={"at_least": "t-17"})
TRACE = Trace("r-1", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "a=b")
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n" + b'{"decision":true}'


class Script:
    """A server that plays answers: on each connection, one list of pieces for each request. An empty list closes it."""

    def __init__(self, *connections):
        self.connections = connections
        self.accepted = 0
        self.requests = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self._listener.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()

    def _run(self):
        for answers in self.connections:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._play, args=(connection, answers), daemon=True).start()

    def _play(self, connection, answers):
        with connection, contextlib.suppress(OSError):  # the client has gone
            for pieces in answers:
                received = b""
                while b"\r\n\r\n" not in received:
                    data = connection.recv(65536)
                    if not data:
                        return
                    received += data
                self.requests.append(received)
                for piece in pieces:
                    if isinstance(piece, float):
                        time.sleep(piece)
                    else:
                        connection.sendall(piece)


class Blocking:
    """Calls the asynchronous client as if it were the blocking one, so that each test tries both."""

    def __init__(self, url, **options):
        self._loop = asyncio.new_event_loop()
        self._client = AsyncClient(url, **options)

    def __getattr__(self, name):
        method = getattr(self._client, name)

        def call(*args):
            if name.startswith("search"):
                return self._loop.run_until_complete(self._all(method(*args)))
            return self._loop.run_until_complete(method(*args))

        return call

    async def _all(self, hits):
        return [hit async for hit in hits]

    def close(self):
        self._loop.run_until_complete(self._client.aclose())
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()


@pytest.fixture(params=[Client, Blocking], ids=["blocking", "asyncio"])
def connect(request):
    made = []

    def make(url, **options):
        client = request.param(url, **{"timeout": 30, **options})
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


def test_a_question_as_it_is_sent(connect):
    with FakePdp() as pdp:
        pdp.permit("user.view")
        with using_trace(TRACE):
            assert connect(pdp.url, token=lambda: "secret").evaluate(ASKED).decision is True
        asked = pdp.asked[0]
        assert asked.message == {
            "subject": {"type": "user", "id": "alice"},
            "action": {"name": "user.view"},
            "resource": {"type": "user", "id": "jane", "properties": {"location": "ghi"}},
            "context": {"at_least": "t-17"},
        }
        assert asked.headers["authorization"] == "Bearer secret"
        assert asked.headers["x-request-id"] == "r-1"
        assert asked.headers["traceparent"] == TRACE.traceparent
        assert asked.headers["tracestate"] == "a=b"


def test_the_context_of_an_answer_is_kept(connect):
    with FakePdp() as pdp:
        pdp.answer("user.view", lambda _: {"decision": True, "context": {"guards": [{"version": 7}]}})
        assert connect(pdp.url).evaluate(ASKED).context == {"guards": [{"version": 7}]}


def test_batches(connect):
    with FakePdp() as pdp:
        pdp.permit("a1")
        questions = [question("alice", f"a{i}", "jane") for i in range(5)]
        answers = connect(pdp.url, batch_size=2).decide(questions)
        assert [answer.decision for answer in answers] == [False, True, False, False, False]
        assert [asked.action for asked in pdp.asked] == ["a0", "a1", "a2", "a3", "a4"]
        assert connect(pdp.url).decide([]) == []


def test_lists_are_paged(connect):
    with FakePdp() as pdp:
        pdp.lists["resource"] = [{"type": "user", "id": f"u{i}", "obligations": []} for i in range(5)]
        pdp.lists["action"] = [{"name": "user.view"}]
        pdp.lists["subject"] = [{"type": "user", "id": "bob"}]
        client = connect(pdp.url)
        search = Search(Entity("user", "alice"), ASKED.action, Entity("user"), {"current_location": "ghi"}, limit=2)
        assert [hit.id for hit in client.search_resources(search)] == ["u0", "u1", "u2", "u3", "u4"]
        assert [hit.id for hit in client.search_subjects(search)] == ["bob"]
        assert [hit.name for hit in client.search_actions(search)] == ["user.view"]
        page = client.page_of("resource", search)
        assert [hit.id for hit in page.hits] == ["u0", "u1"]
        assert page.next_token == "2"


def page(token):
    body = json.dumps({"results": [{"type": "user", "id": "x"}], "page": {"next_token": token}}).encode()
    return [b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body]


def test_a_list_that_does_not_end(connect):
    with Script([page("a"), page("b"), page("a"), page("b")]) as server, pytest.raises(NoAnswer, match="where it has been"):
        list(connect(server.url).search_resources(Search(resource=Entity("user"))))


def test_metadata(connect):
    with FakePdp() as pdp:
        metadata = connect(pdp.url).metadata()
        assert metadata.policy_decision_point == pdp.url
        assert metadata.endpoints.evaluation == pdp.url + "/access/v1/evaluation"


def test_discovery():
    with FakePdp() as pdp:
        pdp.permit("user.view")
        with Client.discover(pdp.url, timeout=30) as client:
            assert client.evaluate(ASKED).decision is True

        async def discover():
            async with await AsyncClient.discover(pdp.url, timeout=30) as client:
                return await client.evaluate(ASKED)

        assert asyncio.run(discover()).decision is True


def metadata_of(url, endpoint):
    body = json.dumps({"policy_decision_point": url, "access_evaluation_endpoint": endpoint}).encode()
    return [b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body]


@pytest.mark.parametrize("case", ["elsewhere", "another"])
def test_metadata_do_not_send_questions_elsewhere(case):
    server = Script()
    url = server.url if case == "elsewhere" else "http://192.0.2.1"
    server.connections = ([metadata_of(url, "http://192.0.2.1/access")],)
    threading.Thread(target=server._run, daemon=True).start()
    with server, pytest.raises(NoAnswer, match="metadata"):
        Client.discover(server.url, timeout=30)


def test_connections_are_used_again(connect):
    with Script([[OK], [OK], [OK]]) as server:
        client = connect(server.url)
        for _ in range(3):
            assert client.evaluate(ASKED).decision is True
        assert server.accepted == 1


def test_a_connection_that_was_closed_meanwhile(connect):
    with Script([[OK]], [[OK]]) as server:
        client = connect(server.url)
        client.evaluate(ASKED)
        time.sleep(0.05)
        assert client.evaluate(ASKED).decision is True
        assert server.accepted == 2


def test_one_retry(connect):
    with Script([[]], [[OK]]) as server:
        assert connect(server.url).evaluate(ASKED).decision is True
        assert len(server.requests) == 2
    with Script([[]], [[]], [[OK]]) as server:
        with pytest.raises(Unreachable, match="broke off"):
            connect(server.url).evaluate(ASKED)
        assert len(server.requests) == 2


def test_no_retry_once_an_answer_has_begun(connect):
    with Script([[b"HTTP/1.1 2"]], [[OK]]) as server:
        with pytest.raises(NoAnswer):
            connect(server.url).evaluate(ASKED)
        assert len(server.requests) == 1


def test_a_guard_is_claimed_once(connect):
    with FakePdp() as pdp:
        client = connect(pdp.url)
        pdp.permit("user.edit", obligations=[{"id": "X/mail", "type": "notification", "properties": {}}])
        plain = question("alice", "user.edit", "jane")
        assert client.evaluate(plain).guard == "", "nobody has asked for one"
        asked = question("alice", "user.edit", "jane", context={"include": ["guard"]})
        guard = client.evaluate(asked).guard
        with pytest.raises(BadStatus) as problem:
            client.claim(question("alice", "user.edit", "bob"), guard)
        assert problem.value.status == 400
        before = datetime.now(timezone.utc)
        first = client.claim(asked, guard)
        assert first.claimed
        assert first.expires > before
        assert [obligation["id"] for obligation in first.response.context["obligations"]] == ["X/mail"]
        assert [claimed.message for claimed in pdp.claimed] == [asked.message()]

        second = client.claim(plain, guard)
        assert (second.claimed, second.code) == (False, "taken")
        assert second.response.guard not in ("", guard)
        pdp.fail()
        with pytest.raises(BadStatus) as problem:
            client.claim(asked, second.response.guard)
        assert problem.value.status == 503
        pdp.fail(False)
        pdp.deny("user.edit")
        third = client.claim(asked, second.response.guard)
        assert (third.claimed, third.code, third.response.decision, third.response.guard) == (False, "denied", False, "")
        assert len(pdp.claimed) == 1


UNTIL = '"expires":"2026-03-02T07:41:00.500Z"'


@pytest.mark.parametrize(
    ("status", "body", "want"),
    [
        (
            200,
            '{"claimed":true,%s,"evaluation":{"decision":true}}' % UNTIL,
            Claim(True, Response(True), datetime(2026, 3, 2, 7, 41, 0, 500_000, timezone.utc)),
        ),
        (
            200,
            '{"claimed":true,"expires":"2026-03-02T09:41:00+02:00","evaluation":{"decision":true}}',
            Claim(True, Response(True), datetime(2026, 3, 2, 7, 41, tzinfo=timezone.utc)),
        ),
        (409, '{"claimed":false,"code":"denied","evaluation":{"decision":false}}', Claim(False, Response(False), code="denied")),
        (200, '{"claimed":false,"code":"denied","evaluation":{"decision":false}}', None),
        (409, '{"claimed":true,%s,"evaluation":{"decision":true}}' % UNTIL, None),
        (503, '{"claimed":true,%s,"evaluation":{"decision":true}}' % UNTIL, None),
        (200, '{"claimed":true,%s,"evaluation":{"decision":false}}' % UNTIL, None),
        (200, '{"claimed":"true",%s,"evaluation":{"decision":true}}' % UNTIL, None),
        (200, '{"claimed":true,"expires":"2026","evaluation":{"decision":true}}', None),
        (200, '{"claimed":true,"expires":"2026-13-02T07:41:00Z","evaluation":{"decision":true}}', None),
        (200, '{"claimed":true,%s}' % UNTIL, None),
        (200, '{"decision":true}', None),
        (409, '{"claimed":false,"evaluation":{"decision":false}}', None),
        (409, "{}", None),
    ],
)
def test_a_claim_is_what_status_claimed_and_decision_say_together(connect, status, body, want):
    answer = f"HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    with Script([[answer]]) as server:
        client = connect(server.url)
        if want:
            assert client.claim(ASKED, "g") == want
        else:
            with pytest.raises(NoAnswer):
                client.claim(ASKED, "g")


def test_a_question_has_no_answer_with_the_status_of_a_claim_that_fails(connect):
    with Script([[OK.replace(b"200 OK", b"409 Conflict")]]) as server, pytest.raises(BadStatus):
        connect(server.url).evaluate(ASKED)


def test_a_claim_is_sent_once(connect):
    with Script([[OK], []], [[OK]]) as server:
        client = connect(server.url)
        client.evaluate(ASKED)
        with pytest.raises(Unreachable, match="broke off"):
            client.claim(ASKED, "g")
        assert server.accepted == 1


def test_an_answer_that_nobody_asked_for(connect):
    with Script([[OK + OK]], [[OK]]) as server:
        client = connect(server.url)
        client.evaluate(ASKED)
        client.evaluate(ASKED)
        assert server.accepted == 2


@pytest.mark.parametrize("pieces", [[5.0], [OK[:40], 5.0], [OK[:40], *[0.05, b"X"] * 20, 5.0]])
def test_time_out(connect, pieces):
    with Script([pieces]) as server, pytest.raises(TimedOut):
        connect(server.url, timeout=0.2).evaluate(ASKED)


def test_requests_wait_for_a_connection():
    with Script([[5.0]]) as server, Client(server.url, timeout=0.3, max_connections=1) as client:
        failed = []

        def ask():
            try:
                client.evaluate(ASKED)
            except TimedOut:
                failed.append(1)

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.accepted == 1
        assert len(failed) == 2


def test_statuses(connect):
    with Script([[b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"]]) as server, pytest.raises(BadStatus) as problem:
        connect(server.url).evaluate(ASKED)
    assert problem.value.status == 401


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 17\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 17\r\nContent-Length: 17\r\n",
        b"Content-Length: +17\r\n",
        b"Content-Length: 17\r\n folded: x\r\n",
        b"Content-Length : 17\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Content-Length: 2000000\r\n",
    ],
)
def test_framings_that_are_none(connect, head):
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + head + b'\r\n{"decision":true}'
    with Script([[answer]]) as server, pytest.raises(NoAnswer):
        connect(server.url, timeout=5).evaluate(ASKED)


BLANKS = b" \t" * (30 << 10)


@pytest.mark.parametrize(
    ("line", "want"),
    [
        (b"X-Request-ID:r-1", True),
        (b"x-request-id: \t r-1 \t ", True),
        (b"X-Request-ID:" + BLANKS + b"r-1", True),
        (b"X-Request-ID:r-1" + BLANKS, True),
        (b"X-Request-ID: r 1", False),  # another request's
        (b"X-Request-ID: r-1:", False),
        (b"X-Request-ID:" + BLANKS, False),
        (b"X-Request-ID: r-1\xa0", False),
        (b"X:", True),
        (b"X: :\xff\t:", True),
        (b"X:" + BLANKS, True),
        (b"X:" + BLANKS + b"\0", False),
        (b"X:" + BLANKS + b"\0" + BLANKS[:64], False),
        (b"X:\x0b", False),
        (b"X:\n", False),
        (b"X:\x7f", False),
        (b"X : y", False),
        (b"X\xe9: y", False),
        (b": y", False),
        (b"X", False),
    ],
)
def test_fields(line, want):
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n" + line + b"\r\n\r\n{}"
    answer = Answer("r-1", 1024)
    if want:
        answer.feed(head)
        assert (answer.complete, answer.body) == (True, b"{}")
    else:
        with pytest.raises(NoAnswer):
            answer.feed(head)


def test_an_answer_byte_by_byte(connect):
    chunked = (
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        b'5;x=y\r\n{"dec\r\nc\r\nision":true}\r\n0\r\n\r\n'
    )
    with Script([[chunked[i : i + 1] for i in range(len(chunked))], [OK]]) as server:
        client = connect(server.url)
        assert client.evaluate(ASKED).decision is True
        assert client.evaluate(ASKED).decision is True
        assert server.accepted == 1


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "127.0.0.1:8181",
            "ftp://x",
            "http://",
            "unix:x",
            "unix://x",
            "http://a:b@x",
            "http://x?y",
            "http://x#y",
            "http://x:99999",
        ),
        *("http://x y", "http://x\r\nHost: y"),
    ],
)
def test_urls(url):
    with pytest.raises(ValueError, match="URL"):
        Client(url)


def test_a_server_that_is_away(connect):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unreachable, match="cannot be reached"):
        connect(f"http://127.0.0.1:{port}").evaluate(ASKED)
    with pytest.raises(Unreachable):
        connect("unix:/nowhere/pdp.sock").evaluate(ASKED)
    with pytest.raises(NoAnswer):
        connect("http://name.invalid", timeout=5).evaluate(ASKED)


def test_what_would_end_a_field(connect):
    with FakePdp() as pdp, pytest.raises(NoAnswer, match="cannot be made"):
        connect(pdp.url, token="a\r\nX: y").evaluate(ASKED)


def test_what_json_does_not_have(connect):
    with FakePdp() as pdp, pytest.raises(NoAnswer, match="encoded"):
        connect(pdp.url).evaluate(question("alice", "a", "jane", context={"x": float("nan")}))


def test_many_threads():
    with FakePdp() as pdp, Client(pdp.url, timeout=30, max_connections=4) as client:
        pdp.permit("user.view")
        answers = []

        def ask():
            for _ in range(20):
                answers.append(client.evaluate(ASKED).decision)

        threads = [threading.Thread(target=ask) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [True] * 320
        assert len(client._idle) <= 4
