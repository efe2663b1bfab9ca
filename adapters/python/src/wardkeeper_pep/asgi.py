"""Protects an ASGI application, such as one of Starlette or FastAPI: requests pass only if the decision point allows them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from .check import AsyncChecker, Result, finish
from .pep import Outcome
from .refusal import Refused
from .routes import BodyIncomplete, BodyTooLong, Request
from .trace import Trace, new_trace, using_trace

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

RESULT = "wardkeeper"
"""The key of the scope that has the `Result`."""
OUTCOMES = "wardkeeper.outcomes"
"""The key of the scope that has the outcomes whose obligations are due after the action."""


class Middleware:
    """Protects an application.

    `after` handlers run once the application has answered with a status below 400, before the end of the answer is sent.

    Args:
        app: the application.
        checker: says what requests mean, and asks. Without one, the application asks in its code, and requests are not checked
            here: the middleware answers with the refusals that the code raises, and does obligations.
        from_proxy: tells whether a request comes from an authenticated proxy. Only such a request may name the person in a
            field. It needs a proof, such as a client certificate: an address is none.
    """

    def __init__(self, app: App, checker: AsyncChecker | None = None, *, from_proxy: Callable[[Scope], bool] | None = None) -> None:
        self._app, self._checker, self._from_proxy = app, checker, from_proxy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] not in ("http", "websocket"):
            raise ValueError("requests of this type cannot be judged")
        outcomes: list[Outcome] = []
        scope = {**scope, OUTCOMES: outcomes}
        trace = Trace()
        if self._checker is None:
            headers = _headers(scope)
            trace = new_trace(lambda name: [value for key, value in headers if key == name])
        else:
            body = _Body(receive)
            result = await self._checker.check(request_of(scope, body, self._from_proxy))
            if result.refusal is not None:
                await refuse(Refused(result.refusal), scope, send)
                return
            scope[RESULT] = result
            trace, receive = result.trace, body.receive
            if result.outcome is not None:
                outcomes.append(result.outcome)
        answer = _Answer(send, outcomes, trace)
        with using_trace(trace):
            try:
                await self._app(scope, receive, answer.send)
            except Refused as refused:
                if answer.status:
                    raise
                await refuse(refused, scope, send, trace)
                return
            finally:
                await answer.done()


class _Answer:
    """The answer of the application to a request that has passed."""

    def __init__(self, send: Send, outcomes: list[Outcome], trace: Trace) -> None:
        self._send, self._outcomes, self._trace = send, outcomes, trace
        self.status = 0

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["type"] == "websocket.accept":
            self.status = 101
        last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if last or message["type"] == "websocket.accept":
            await self.done()
        await self._send(message)

    async def done(self) -> None:
        """Do what is due after the action, even if the client has gone."""
        if 0 < self.status < 400 and self._outcomes:
            outcomes = list(self._outcomes)
            self._outcomes.clear()
            await finish(outcomes, self._trace)


class _Body:
    """The body of a request. What has been read is given to the application again."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._read: MutableMapping[str, Any] | None = None

    async def read(self, limit: int) -> bytes:
        data, more = bytearray(), True
        while more:
            message = await self._receive()
            if message["type"] != "http.request":
                raise BodyIncomplete
            data += message.get("body", b"")
            if len(data) > limit:
                raise BodyTooLong
            more = message.get("more_body", False)
        self._read = {"type": "http.request", "body": bytes(data), "more_body": False}
        return bytes(data)

    async def receive(self) -> MutableMapping[str, Any]:
        if self._read is not None:
            message, self._read = self._read, None
            return message
        return await self._receive()


def result_of(scope: Scope) -> Result:
    """Return the result of checking the request that is handled."""
    result: Result = scope[RESULT]
    return result


async def refuse(refused: Refused, scope: Scope, send: Send, trace: Trace | None = None) -> None:
    """Answer with a refusal."""
    refusal = refused.refusal.within(trace)
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})  # the server answers 403 before it accepts
        return
    kind, body = refusal.body(",".join(value for name, value in _headers(scope) if name == "accept"))
    fields = [*refusal.fields(), ("Content-Type", kind), ("Content-Length", str(len(body)))]
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in fields]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def request_of(scope: Scope, body: _Body | None, from_proxy: Callable[[Scope], bool] | None = None) -> Request:
    """Return the request of a scope."""
    raw: bytes | None = scope.get("raw_path")
    path = raw.decode("latin-1").partition("?")[0] if raw else quote(scope["path"], safe="/!$&'()*+,=:@~")
    query: bytes | str = scope.get("query_string", b"")
    if isinstance(query, bytes):  # Django's client for tests has a text
        query = query.decode("latin-1")
    headers = _headers(scope)
    return Request(
        method=scope.get("method", "GET"),  # a WebSocket begins with GET
        target=path + ("?" + query if query else ""),
        host=[value for name, value in headers if name == "host"],
        headers=[field for field in headers if field[0] != "host"],
        path=_seen(scope, path),
        read_body=body.read if body is not None else None,
        from_proxy=lambda: from_proxy is not None and from_proxy(scope),
    )


def _seen(scope: Scope, path: str) -> str:
    """Return the path that the application gets. Some servers leave the prefix out that the application is mounted at."""
    seen: str = scope["path"]
    root: str = scope.get("root_path", "")
    if root and not seen.startswith(root) and root + seen == unquote_to_bytes(path).decode("utf-8", "replace"):
        return root + seen
    return seen


def _headers(scope: Scope) -> list[tuple[str, str]]:
    return [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
