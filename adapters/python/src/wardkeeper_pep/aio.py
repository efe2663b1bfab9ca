"""The asynchronous client of a decision point, for asyncio."""

from __future__ import annotations

import asyncio
import ssl
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import cast

from . import _http
from ._messages import IDLE, Metadata, Paging, Request, Settings, T, Task
from .authzen import Claim, Evaluation, Hit, Page, Response, Search
from .client import _unreachable
from .errors import NoAnswer, TimedOut, Unreachable


class AsyncClient:
    """Asks one decision point, as `Client` does and with the same arguments. It can be used in several event loops."""

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
        self._lock = threading.Lock()  # guards the mapping
        self._pools: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Pool] = weakref.WeakKeyDictionary()

    @classmethod
    async def discover(
        cls, url: str, *, timeout: float = 1.0, token: str | Callable[[], str] | None = None, ca_file: str | None = None
    ) -> AsyncClient:
        """Return a client that uses the endpoints of the decision point's metadata."""
        client = cls(url, timeout=timeout, token=token, ca_file=ca_file)
        try:
            client._settings.use(await client.metadata())
        except BaseException:
            await client.aclose()
            raise
        return client

    async def decide(self, questions: Sequence[Evaluation]) -> list[Response]:
        """Answer every question, in order. If it raises `NoAnswer`, no question has been answered."""
        return await self._run(self._settings.decide(questions))

    async def evaluate(self, question: Evaluation) -> Response:
        """Answer one question."""
        return (await self.decide([question]))[0]

    async def claim(self, question: Evaluation, guard: str) -> Claim:
        """Claim the guard of a response to the question, as `Client.claim` does."""
        return await self._run(self._settings.claim(question, guard))

    def search_subjects(self, search: Search) -> AsyncIterator[Hit]:
        """Yield the subjects of the type of `search.subject` that may do the action to the resource."""
        return self._search("subject", search)

    def search_resources(self, search: Search) -> AsyncIterator[Hit]:
        """Yield the resources of the type of `search.resource` to which the subject may do the action."""
        return self._search("resource", search)

    def search_actions(self, search: Search) -> AsyncIterator[Hit]:
        """Yield the actions that the subject may do to the resource."""
        return self._search("action", search)

    async def page_of(self, kind: str, search: Search) -> Page:
        """Return one page of a search for a `"subject"`, a `"resource"` or an `"action"`: that of `search.token`."""
        return await self._run(self._settings.page(kind, search))

    async def metadata(self) -> Metadata:
        """Return what the decision point says of itself."""
        return await self._run(self._settings.metadata())

    async def aclose(self) -> None:
        """Close the connections of this event loop that are not in use."""
        self._pool().clear()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    async def _search(self, kind: str, search: Search) -> AsyncIterator[Hit]:
        paging = Paging(search)
        more = True
        while more:
            page = await self.page_of(kind, paging.search)
            more = paging.next(page)
            for hit in page.hits:
                yield hit

    def _pool(self) -> _Pool:
        loop = asyncio.get_running_loop()
        with self._lock:
            pool = self._pools.get(loop)
            if pool is None:
                pool = self._pools[loop] = _Pool(self._settings.max_connections)
            return pool

    async def _run(self, task: Task[T]) -> T:
        try:
            return await asyncio.wait_for(self._unbounded(task), self._settings.timeout)
        except asyncio.TimeoutError:
            raise TimedOut from None

    async def _unbounded(self, task: Task[T]) -> T:
        pool = self._pool()
        try:
            request = next(task)
            while True:
                async with pool.slots:
                    answer = await self._request(pool, request)
                request = task.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _request(self, pool: _Pool, request: Request) -> _http.Answer:
        text, request_id = self._settings.text_of(request)
        try:
            return await self._attempt(pool, pool.take() or await self._connect(), request, text, request_id)
        except _Broke:
            pool.clear()  # what was kept has probably been closed as well
            try:
                if request.once:
                    raise
                # Asking again is safe: questions change nothing (PEP-8).
                return await self._attempt(pool, await self._connect(), request, text, request_id)
            except _Broke:
                raise Unreachable("the decision point broke off the connection") from None

    async def _attempt(self, pool: _Pool, connection: _Connection, request: Request, text: bytes, request_id: str) -> _http.Answer:
        answer = _http.Answer(request_id, self._settings.max_response, request.accepts)
        try:
            await connection.exchange(text, answer)
        except BaseException:
            connection.close()
            raise
        if answer.reusable:
            connection.used = asyncio.get_running_loop().time()
            pool.idle.append(connection)
        else:
            connection.close()
        return answer

    async def _connect(self) -> _Connection:
        loop, address = asyncio.get_running_loop(), self._settings.address
        try:
            if address.socket:
                _, connection = await loop.create_unix_connection(_Connection, address.socket)
            else:
                host = address.host if self._settings.tls else None
                _, connection = await loop.create_connection(
                    _Connection, address.host, address.port, ssl=self._settings.tls, server_hostname=host
                )
        except OSError as error:
            raise _unreachable(error) from None
        except UnicodeError:
            raise Unreachable("the decision point cannot be reached: no such name") from None
        return connection


class _Pool:
    """The connections of an event loop."""

    def __init__(self, connections: int) -> None:
        self.slots = asyncio.Semaphore(connections)
        self.idle: list[_Connection] = []

    def take(self) -> _Connection | None:
        """Take a connection that can be used again."""
        now = asyncio.get_running_loop().time()
        while self.idle:
            connection = self.idle.pop()
            if connection.usable and now - connection.used < IDLE:
                return connection
            connection.close()
        return None

    def clear(self) -> None:
        idle, self.idle = self.idle, []
        for connection in idle:
            connection.close()


class _Broke(Exception):
    """An established connection broke before an answer began."""


class _Connection(asyncio.Protocol):
    """An established connection."""

    def __init__(self) -> None:
        self.usable = True  # nothing was received since the last answer
        self.used = 0.0
        self._transport: asyncio.Transport | None = None
        self._answer: _http.Answer | None = None
        self._ended: asyncio.Future[None] | None = None  # done when the answer is complete, or there will be none

    def close(self) -> None:
        self.usable = False
        if self._transport is not None:
            self._transport.abort()

    async def exchange(self, text: bytes, answer: _http.Answer) -> None:
        """Send a request and receive its answer."""
        if not self.usable or self._transport is None:
            raise _Broke
        self._answer, self._ended = answer, asyncio.get_running_loop().create_future()
        self._transport.write(text)
        try:
            await self._ended
        finally:
            self._answer = self._ended = None

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._ended is None or self._ended.done():
            self.close()  # nobody has asked for it
            return
        try:
            self._answer.feed(data)
        except NoAnswer as error:
            self.usable = False
            self._ended.set_exception(error)
            return
        if self._answer.complete:
            self._ended.set_result(None)

    def eof_received(self) -> None:
        self._over(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._over(error)

    def _over(self, error: Exception | None) -> None:
        self.usable = False
        if self._answer is None or self._ended is None or self._ended.done():
            return
        if self._answer.begun:
            if isinstance(error, OSError):
                self._ended.set_exception(_unreachable(error))
                return
            try:
                self._answer.end()
                self._ended.set_result(None)
            except NoAnswer as problem:
                self._ended.set_exception(problem)
        elif isinstance(error, ssl.SSLError) and not isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
            self._ended.set_exception(_unreachable(error))  # one side refuses the other, and would again
        elif error is None or isinstance(error, (ConnectionError, ssl.SSLError)):
            self._ended.set_exception(_Broke())
        elif isinstance(error, OSError):
            self._ended.set_exception(_unreachable(error))
        else:
            self._ended.set_exception(Unreachable("the connection to the decision point failed"))
