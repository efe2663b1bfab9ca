"""The blocking client of a decision point. It neither caches nor logs, and it does not enforce: `Enforcer` does."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType

from . import _http
from ._messages import IDLE, Metadata, Paging, Request, Settings, T, Task
from .authzen import Claim, Evaluation, Hit, Page, Response, Search
from .errors import NoAnswer, TimedOut, Unreachable


class Client:
    """Asks one decision point. It can be used by several threads at the same time, and reuses its connections.

    Args:
        url: `http://HOST:PORT`, `https://HOST` or `unix:/PATH`.
        token: the bearer token, or a function that returns it and is called for each request.
        ca_file: the certificate authorities for https; by default those of the system.
        tls: settings for https, in place of `ca_file`.
        timeout: seconds that a call may take, its retry included.
        max_connections: bounds the connections, and so the requests in progress. Further ones wait, within the time-out.
        max_response: bounds an answer, in bytes.
        batch_size: bounds the questions of a request. More are sent in several requests.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | Callable[[], str] | None = None,
        ca_file: str | None = None,
        tls: ssl.SSLContext | None = None,
        timeout: float = 1.0,
        max_connections: int = 64,
        max_response: int = 1 << 20,
        batch_size: int = 1000,
    ) -> None:
        self._settings = Settings.of(url, token, ca_file, tls, timeout, max_connections, max_response, batch_size)
        self._slots = threading.BoundedSemaphore(max_connections)
        self._lock = threading.Lock()  # guards what follows
        self._idle: list[Connection] = []
        self._process = os.getpid()
        self._resolver = Resolver()

    @classmethod
    def discover(
        cls, url: str, *, timeout: float = 1.0, token: str | Callable[[], str] | None = None, ca_file: str | None = None
    ) -> Client:
        """Return a client that uses the endpoints of the decision point's metadata."""
        client = cls(url, timeout=timeout, token=token, ca_file=ca_file)
        try:
            client._settings.use(client.metadata())
        except BaseException:
            client.close()
            raise
        return client

    def decide(self, questions: Sequence[Evaluation]) -> list[Response]:
        """Answer every question, in order. If it raises `NoAnswer`, no question has been answered."""
        return self._run(self._settings.decide(questions))

    def evaluate(self, question: Evaluation) -> Response:
        """Answer one question."""
        return self.decide([question])[0]

    def claim(self, question: Evaluation, guard: str) -> Claim:
        """Claim the guard of a response to the question (pdp/authzen/PROTOCOL.md, Guards).

        It is sent once. If it raises `NoAnswer`, as after a broken connection, the change may not be made, and the claim may be in
        force until it expires. `BadStatus` 400 means that it is no guard of the question.
        """
        return self._run(self._settings.claim(question, guard))

    def search_subjects(self, search: Search) -> Iterator[Hit]:
        """Yield the subjects of the type of `search.subject` that may do the action to the resource.

        Each page is a request with a time-out of its own. If one fails, the list ends with `NoAnswer`, and is incomplete.
        """
        return self._search("subject", search)

    def search_resources(self, search: Search) -> Iterator[Hit]:
        """Yield the resources of the type of `search.resource` to which the subject may do the action."""
        return self._search("resource", search)

    def search_actions(self, search: Search) -> Iterator[Hit]:
        """Yield the actions that the subject may do to the resource."""
        return self._search("action", search)

    def page_of(self, kind: str, search: Search) -> Page:
        """Return one page of a search for a `"subject"`, a `"resource"` or an `"action"`: that of `search.token`."""
        return self._run(self._settings.page(kind, search))

    def metadata(self) -> Metadata:
        """Return what the decision point says of itself."""
        return self._run(self._settings.metadata())

    def close(self) -> None:
        """Close the connections that are not in use."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _search(self, kind: str, search: Search) -> Iterator[Hit]:
        paging = Paging(search)
        more = True
        while more:
            page = self.page_of(kind, paging.search)
            more = paging.next(page)
            yield from page.hits

    def _run(self, task: Task[T]) -> T:
        deadline = time.monotonic() + self._settings.timeout
        try:
            request = next(task)
            while True:
                request = task.send(self._request(request, deadline))
        except StopIteration as end:
            result: T = end.value
            return result

    def _request(self, request: Request, deadline: float) -> _http.Answer:
        if not self._slots.acquire(timeout=max(deadline - time.monotonic(), 0)):
            raise TimedOut
        try:
            text, request_id = self._settings.text_of(request)
            try:
                return self._attempt(self._take() or self._connect(deadline), request, text, request_id, deadline)
            except _Broke:
                self.close()  # what was kept has probably been closed as well
                try:
                    if request.once:
                        raise
                    # Asking again is safe: questions change nothing (PEP-8).
                    return self._attempt(self._connect(deadline), request, text, request_id, deadline)
                except _Broke:
                    raise Unreachable("the decision point broke off the connection") from None
        finally:
            self._slots.release()

    def _attempt(self, connection: Connection, request: Request, text: bytes, request_id: str, deadline: float) -> _http.Answer:
        answer = _http.Answer(request_id, self._settings.max_response, request.accepts)
        try:
            connection.exchange(text, answer, deadline)
        except BaseException:
            connection.close()
            raise
        if answer.reusable:
            connection.used = time.monotonic()
            with self._lock:
                self._idle.append(connection)
        else:
            connection.close()
        return answer

    def _take(self) -> Connection | None:
        """Take a connection that can be used again."""
        while True:
            with self._lock:
                if self._process != os.getpid():  # of the process that this one was forked from
                    self._process, self._idle = os.getpid(), []
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if time.monotonic() - connection.used < IDLE and connection.is_silent():
                return connection
            connection.close()

    def _connect(self, deadline: float) -> Connection:
        return connect(self._settings.address, self._settings.tls, self._resolver, deadline)


def connect(address: _http.Address, tls: ssl.SSLContext | None, resolver: Resolver, deadline: float) -> Connection:
    """Open a connection. It raises `NoAnswer` if there is none until `deadline`, by the monotonic clock."""
    try:
        if address.socket:
            stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            candidates: list[tuple[socket.socket, object]] = [(stream, address.socket)]
        else:
            candidates = []
            for family, kind, protocol, _, target in resolver.resolve(address.host, address.port, deadline):
                candidates.append((socket.socket(family, kind, protocol), target))
        connected = _first(candidates, deadline)
    except OSError as error:
        raise _unreachable(error) from None
    try:
        if not address.socket:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            connected.settimeout(_left(deadline))
            connected = tls.wrap_socket(connected, server_hostname=address.host)
    except OSError as error:
        connected.close()
        raise _unreachable(error) from None
    except BaseException:
        connected.close()
        raise
    return Connection(connected)


class _Broke(Exception):
    """An established connection broke before an answer began."""


class Connection:
    """An established connection."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self.used = 0.0

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def is_silent(self) -> bool:
        """Report whether nothing was received since the last answer: neither an end nor an answer that nobody asked for."""
        try:
            self._stream.setblocking(False)
            self._stream.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            pass
        return False

    def exchange(self, text: bytes, answer: _http.Answer, deadline: float) -> None:
        """Send a request and receive its answer."""
        try:
            self._stream.settimeout(_left(deadline))
            self._stream.sendall(text)
            while not answer.complete:
                self._stream.settimeout(_left(deadline))
                data = self._stream.recv(64 << 10)
                if data:
                    answer.feed(data)
                elif answer.begun:
                    answer.end()
                else:
                    raise _Broke
        except OSError as error:
            if not answer.begun and isinstance(error, (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)):
                raise _Broke from None
            raise _unreachable(error) from None


class Resolver:
    """Resolves names within a deadline. The system's function has none, so it runs in a thread: one at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: _Lookup | None = None

    def resolve(self, host: str, port: int, deadline: float) -> list[tuple[int, int, int, str, tuple[object, ...]]]:
        """Return what `socket.getaddrinfo` does. It raises `TimedOut` at `deadline`, by the monotonic clock."""
        try:
            return _lookup(host, port, socket.AI_NUMERICHOST)
        except socket.gaierror:
            pass
        with self._lock:
            lookup = self._running
            if lookup is None or lookup.ended.is_set():
                lookup = self._running = _Lookup(host, port)
                lookup.start()
        if not lookup.ended.wait(_left(deadline)):
            raise TimedOut
        if lookup.error is not None:
            raise lookup.error
        return lookup.found


class _Lookup(threading.Thread):
    def __init__(self, host: str, port: int) -> None:
        super().__init__(daemon=True)
        self._host, self._port = host, port
        self.ended = threading.Event()
        self.found: list[tuple[int, int, int, str, tuple[object, ...]]] = []
        self.error: OSError | None = None

    def run(self) -> None:
        try:
            self.found = _lookup(self._host, self._port, 0)
        except OSError as error:
            self.error = error
        except UnicodeError:
            self.error = socket.gaierror(socket.EAI_NONAME, "no such name")
        finally:
            self.ended.set()


def _lookup(host: str, port: int, flags: int) -> list[tuple[int, int, int, str, tuple[object, ...]]]:
    return [tuple(found) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)]  # type: ignore[misc]


def _first(candidates: Sequence[tuple[socket.socket, object]], deadline: float) -> socket.socket:
    """Return the first that connects, and close the others."""
    failed: OSError = OSError("there is no address")
    connected: socket.socket | None = None
    try:
        for stream, target in candidates:
            try:
                stream.settimeout(_left(deadline))
                stream.connect(target)  # type: ignore[arg-type]
                connected = stream
                return stream
            except OSError as error:
                failed = error
        raise failed
    finally:
        for stream, _ in candidates:
            if stream is not connected:
                stream.close()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimedOut
    return left


def _unreachable(error: OSError) -> NoAnswer:
    """Describe a failed connection. The text is that of the system, which has nothing of what was received."""
    if isinstance(error, TimeoutError):
        return TimedOut()
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unreachable(f"the decision point cannot be trusted: {error.verify_message}")
    if isinstance(error, ssl.SSLError):
        return Unreachable(f"the connection to the decision point failed: {error.reason}")
    if isinstance(error, ConnectionResetError):
        return Unreachable("the decision point broke off the connection")
    return Unreachable(f"the decision point cannot be reached: {error.strerror or type(error).__name__}")
