"""Protects a WSGI application: requests pass only if the decision point allows them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote

from .check import Checker, Result, log_undone
from .refusal import Refused
from .routes import BodyIncomplete, BodyTooLong, Headers, Request
from .trace import Trace, using_trace

Environ = "dict[str, Any]"

RESULT = "wardkeeper.result"
"""The key of the environment that has the `Result`."""

# WSGI joins fields of the same name with commas, which no value of these has by itself.
_SINGLE = frozenset(("x-request-id", "traceparent"))


class Middleware:
    """Protects an application.

    `after` handlers run once the application has answered with a status below 400.

    Args:
        app: the application.
        checker: says what requests mean, and asks.
        from_proxy: tells whether a request comes from an authenticated proxy. Only such a request may name the person in a
            field. It needs a proof, such as a client certificate: an address is none.
    """

    def __init__(
        self, app: Callable[..., Iterable[bytes]], checker: Checker, *, from_proxy: Callable[[dict[str, Any]], bool] | None = None
    ) -> None:
        self._app, self._checker, self._from_proxy = app, checker, from_proxy

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request."""
        result = self._checker.check(request_of(environ, self._from_proxy))
        if result.refusal is not None:
            return refuse(Refused(result.refusal), environ, start_response)
        environ[RESULT] = result
        return _Answer(self._app, environ, start_response, result).begin()


class _Answer:
    """The answer of the application to a request that has passed."""

    def __init__(
        self, app: Callable[..., Iterable[bytes]], environ: dict[str, Any], start: Callable[..., Any], result: Result
    ) -> None:
        self._app, self._environ, self._start, self._result = app, environ, start, result
        self._status = 0
        self._due = True

    def begin(self) -> Iterable[bytes]:
        with using_trace(self._result.trace):
            try:
                body = self._app(self._environ, self._record)
            except Refused as refused:
                return refuse(refused, self._environ, self._start, self._result.trace)
            if self._status:
                self._done()
                return body
            return self._later(body)

    def _record(self, status: str, fields: list[tuple[str, str]], *exc_info: Any) -> Any:
        self._status = int(status[:3])
        return self._start(status, fields, *exc_info)

    def _done(self) -> None:
        if self._due and self._status < 400 and self._result.outcome is not None:
            self._due = False
            log_undone(self._result.outcome.done(), self._result.trace)

    def _later(self, body: Iterable[bytes]) -> Iterator[bytes]:
        """Pass on the body of an application that sends its status with the first part."""
        try:
            for part in body:
                if self._status:
                    self._done()
                yield part
            self._done()
        except Refused as refused:
            if self._status:
                raise
            yield from refuse(refused, self._environ, self._start, self._result.trace)
        finally:
            close: Callable[[], None] | None = getattr(body, "close", None)
            if close:
                close()


def result_of(environ: dict[str, Any]) -> Result:
    """Return the result of checking the request that is handled."""
    result: Result = environ[RESULT]
    return result


def refuse(
    refused: Refused, environ: dict[str, Any], start_response: Callable[..., Any], trace: Trace | None = None
) -> Iterable[bytes]:
    """Answer with a refusal, in the trace of the request."""
    refusal = refused.refusal.within(trace)
    kind, body = refusal.body(environ.get("HTTP_ACCEPT", ""))
    fields = [*refusal.fields(), ("Content-Type", kind), ("Content-Length", str(len(body)))]
    start_response(f"{refusal.status} {refusal.title}", fields)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def request_of(environ: dict[str, Any], from_proxy: Callable[[dict[str, Any]], bool] | None = None) -> Request:
    """Return the request of an environment. If the body is read, `wsgi.input` is replaced by one with the same bytes."""
    seen = (environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).encode("latin-1", "replace")
    query: str = environ.get("QUERY_STRING", "")
    target: str | None = environ.get("REQUEST_URI") or environ.get("RAW_URI")
    if not isinstance(target, str):
        # The server tells only the decoded path. The application gets nothing else either, so that is what is judged.
        target = quote(seen, safe="/!$&'()*+,=:@~") + ("?" + query if query else "")
    return Request(
        method=environ["REQUEST_METHOD"],
        target=target,
        host=[environ["HTTP_HOST"]] if "HTTP_HOST" in environ else [],
        headers=_headers(environ),
        path=seen.decode("utf-8", "surrogateescape"),
        query=query,
        read_body=lambda limit: _read(environ, limit),
        from_proxy=lambda: from_proxy is not None and from_proxy(environ),
    )


def _headers(environ: dict[str, Any]) -> Headers:
    headers = []
    for key, value in environ.items():
        if key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            name = key.replace("_", "-").lower()
            if value == "":  # what the gateway sets where the request has none
                continue
        elif key in ("HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"):
            name = key[len("HTTP_") :].lower()  # it was sent in another spelling
        elif key.startswith("HTTP_") and key != "HTTP_HOST":
            name = key[len("HTTP_") :].replace("_", "-").lower()
        else:
            continue
        if name in _SINGLE:
            headers += [(name, part.strip()) for part in value.split(",")]
        else:
            headers.append((name, value))
    return headers


def _read(environ: dict[str, Any], limit: int) -> bytes:
    length = environ.get("CONTENT_LENGTH") or ""
    if length and not (length.isascii() and length.isdigit()):
        raise BodyIncomplete
    if length:
        if int(length) > limit:
            raise BodyTooLong
        data: bytes = environ["wsgi.input"].read(int(length))
        if len(data) < int(length):
            raise BodyIncomplete
    elif environ.get("wsgi.input_terminated"):
        data = environ["wsgi.input"].read(limit + 1)
        if len(data) > limit:
            raise BodyTooLong
    else:
        data = b""
    environ["wsgi.input"] = io.BytesIO(data)
    return data
