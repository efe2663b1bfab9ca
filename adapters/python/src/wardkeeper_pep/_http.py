"""HTTP/1.1 as a client of one decision point needs it: the text of requests, and a parser of answers that does no I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from .errors import BadStatus, NoAnswer, Unreachable

_MAX_HEAD = 64 << 10  # bytes of a header
_MAX_INTERIM = 5  # answers with a 1xx status before the final one

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [\t -~\x80-\xff]*)?")
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(rb"[\t -~\x80-\xff]*")
_LENGTH = re.compile(r"[0-9]{1,18}", re.ASCII)
_CHUNK = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;[\t -~\x80-\xff]*)?")
# JSON has no parameters: any but the charset may announce another format (PEP-1).
_JSON = re.compile(r'application/json(?:[ \t]*;[ \t]*charset=(?:utf-8|"utf-8"))?', re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Address:
    """Where a decision point is, and how its requests begin."""

    host: str  # to connect to; "" for a Unix socket
    port: int
    socket: str  # the path of a Unix socket, or ""
    tls: bool
    authority: str  # of the Host field
    path: str  # before the endpoints, without a slash at its end

    @property
    def origin(self) -> str:
        """The origin of its URLs."""
        return ("https://" if self.tls else "http://") + self.authority


def parse_url(url: str) -> Address:
    """Parse the URL of a decision point.

    Raises:
        ValueError: with what to write instead. The message has no credentials.
    """
    forms = "use http://HOST:PORT, https://HOST or unix:/PATH"
    if url.startswith("unix:"):
        path = url[len("unix:") :]
        if not path.startswith("/") or path.startswith("//") or "\0" in path:
            raise ValueError("the URL of the decision point has no absolute path: use unix:/PATH")
        return Address("", 0, path, False, "localhost", "")
    try:
        parts = urlsplit(url)
        port = parts.port
        host = parts.hostname or ""
        host.encode("ascii")
    except ValueError:
        raise ValueError("the URL of the decision point is malformed: " + forms) from None
    if parts.scheme not in ("http", "https") or not host or re.search(r"[^!-~]", url):
        raise ValueError("the URL of the decision point is not that of a server: " + forms)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("the URL of the decision point has more than a scheme, a host and a path: give credentials as token")
    tls = parts.scheme == "https"
    return Address(host, port or (443 if tls else 80), "", tls, parts.netloc, parts.path.rstrip("/"))


def request_text(address: Address, method: str, path: str, fields: Mapping[str, str], body: bytes) -> bytes:
    """Return a request.

    Raises:
        NoAnswer: if a field has a character that would end it.
    """
    lines = [f"{method} {path} HTTP/1.1", f"Host: {address.authority}"]
    for name, value in fields.items():
        if any((c < " " and c != "\t") or c == "\x7f" for c in value):
            raise NoAnswer("the request to the decision point cannot be made")
        lines.append(f"{name}: {value}")
    if method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    try:
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
    except UnicodeEncodeError:
        raise NoAnswer("the request to the decision point cannot be made") from None


class Answer:
    """Parses one answer. Feed it what is received until it is `complete`, and `end` it if the other side ends the connection.

    Whatever is not a well-formed answer with JSON and status 200, or `accepts`, raises `NoAnswer`.
    """

    def __init__(self, request_id: str, max_body: int, accepts: int = 200) -> None:
        self.complete = False
        self.reusable = False  # whether the connection can be used again
        self.begun = False  # whether anything has been received
        self.status = 0
        self.body = b""
        self._accepts = accepts
        self._request_id = request_id
        self._max_body = max_body
        self._received = bytearray()
        self._interim = 0
        self._in_body = False
        self._length: int | None = None  # of the body
        self._chunked = False
        self._chunk = 0  # what is left of the chunk that has begun
        self._state = "size"  # of a chunked body: size, data, end, trailer
        self._parts = bytearray()
        self._keep = False

    def feed(self, data: bytes) -> None:
        """Take what was received."""
        self.begun = self.begun or data != b""
        self._received += data
        while not self._in_body:
            end = self._received.find(b"\r\n\r\n", 0, _MAX_HEAD)
            if end < 0:
                if len(self._received) >= _MAX_HEAD:
                    raise Unreachable("the header of the answer of the decision point is too long")
                if not b"HTTP/1.".startswith(self._received[:7]):
                    raise _not_http()
                return
            head = bytes(self._received[:end])
            del self._received[: end + 4]
            self._head(head)
        if self._chunked:
            self._chunks()
        elif self._length is not None:
            if len(self._received) >= self._length:
                self._finish(bytes(self._received[: self._length]), len(self._received) == self._length)
        elif len(self._received) > self._max_body:
            raise self._too_large()

    def end(self) -> None:
        """Take the end of the connection."""
        if self._in_body and not self._chunked and self._length is None:
            self._finish(bytes(self._received), False)
            return
        raise Unreachable("the decision point broke off the connection")

    def _head(self, head: bytes) -> None:
        lines = head.split(b"\r\n")
        status_line = _STATUS.fullmatch(lines[0])
        if not status_line:
            raise _not_http()
        fields: dict[str, list[str]] = {}
        for line in lines[1:]:
            # One expression for the whole line would take cubic time for a value of blanks.
            name, colon, value = line.partition(b":")
            value = value.strip(b" \t")
            if not colon or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
                raise _not_http()
            fields.setdefault(name.decode("ascii").lower(), []).append(value.decode("latin-1"))
        status = int(status_line[2])
        if 100 <= status < 200 and status != 101:
            self._interim += 1
            if self._interim > _MAX_INTERIM:
                raise Unreachable("the decision point sent too many interim answers")
            return
        if status not in (200, self._accepts):
            raise BadStatus(status)
        self.status = status
        self._check(fields)
        self._frame(fields)
        options = ",".join(fields.get("connection", [])).lower()
        self._keep = status_line[1] == b"1" and "close" not in options
        self._in_body = True

    def _check(self, fields: dict[str, list[str]]) -> None:
        """Check everything about an answer but its body."""
        types = fields.get("content-type", [])
        if len(types) != 1 or not _JSON.fullmatch(types[0]):
            raise NoAnswer("the decision point sent something else than application/json")
        if "content-encoding" in fields:
            raise NoAnswer("the decision point sent an encoded answer, which was not asked for")
        ids = fields.get("x-request-id", [])
        if self._request_id and ids and ids != [self._request_id]:
            raise NoAnswer("the decision point answered another request")

    def _frame(self, fields: dict[str, list[str]]) -> None:
        """Find out where the body ends."""
        lengths, codings = fields.get("content-length", []), fields.get("transfer-encoding", [])
        if codings:
            if lengths or [c.lower() for c in codings] != ["chunked"]:
                raise _not_http()
            self._chunked = True
        elif lengths:
            if len(lengths) != 1 or not _LENGTH.fullmatch(lengths[0]):
                raise _not_http()
            self._length = int(lengths[0])
            if self._length > self._max_body:
                raise self._too_large()

    def _chunks(self) -> None:
        while True:
            if self._state == "data":
                piece = self._received[: self._chunk]
                del self._received[: len(piece)]
                self._parts += piece
                self._chunk -= len(piece)
                if self._chunk:
                    return
                self._state = "end"
            end = self._received.find(b"\r\n", 0, _MAX_HEAD)
            if end < 0:
                if len(self._received) >= _MAX_HEAD:
                    raise _not_http()
                return
            line = bytes(self._received[:end])
            del self._received[: end + 2]
            if self._state == "end":
                if line:
                    raise _not_http()
                self._state = "size"
            elif self._state == "size":
                size = _CHUNK.fullmatch(line)
                if not size:
                    raise _not_http()
                self._chunk = int(size[1], 16)
                if len(self._parts) + self._chunk > self._max_body:
                    raise self._too_large()
                self._state = "data" if self._chunk else "trailer"
            elif not line:
                self._finish(bytes(self._parts), not self._received)
                return
            else:
                raise Unreachable("the decision point sent fields after the body of its answer")

    def _finish(self, body: bytes, exact: bool) -> None:
        self.body = body
        self.complete = True
        self.reusable = self._keep and exact

    def _too_large(self) -> NoAnswer:
        return NoAnswer(f"the answer of the decision point is larger than {self._max_body} bytes")


def _not_http() -> NoAnswer:
    # It has nothing of what was received, which may name persons (PEP-11).
    return Unreachable(
        "the connection to the decision point failed, or something else than HTTP was received (with https: than TLS)"
    )
