"""What HTTP requests mean, by a route file: a public route, no route, or a question (PEP-12, PEP-14).

What the adapter and the application could read in different ways is refused. The package asks nobody, enforces nothing and
does no I/O but reading the file. Start reading at `load` and `Table.resolve`.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..authzen import Action, Entity, Evaluation
from ._body import MAX_BODY, BodyIncomplete, BodyTooLong, look_up, parse_body, too_long
from ._error import BadRequest, Fault, Faults, RouteError, Unauthenticated, Unavailable
from ._file import MAX_FILE, document
from ._header import Headers, check_headers, drawn_header, folded, is_reserved, values
from ._host import canonical_host
from ._parse import Parser, is_keys_url, is_loopback, is_method
from ._query import METHOD_PARAMETER, check_members, check_no_form, check_query, overrides_method, parameter
from ._route import Route
from ._subject import Jwt, Subject
from ._target import Target, parse_target
from ._template import value_of
from ._value import Form, Unfit, Value, convert

__all__ = [
    "MAX_BODY",
    "BadRequest",
    "BodyIncomplete",
    "BodyTooLong",
    "Fault",
    "Faults",
    "Headers",
    "Jwt",
    "ReadBody",
    "Request",
    "Resolution",
    "Route",
    "RouteError",
    "Subject",
    "Table",
    "Unauthenticated",
    "Unavailable",
    "Verify",
    "folded",
    "is_keys_url",
    "is_loopback",
    "is_reserved",
    "load",
    "parse",
    "values",
]


@dataclass(frozen=True)
class Request:
    """A request to resolve. An adapter passes on what it received, unchanged."""

    method: str
    target: str
    """The request target as it was received: path and query, still encoded."""
    host: Sequence[str]
    """Every value of the Host field."""
    headers: Headers
    """The other fields. Names may be in any case."""
    path: str | None = None
    """The decoded path that the application gets. If it is given, it has to be what the target means."""
    query: str | None = None
    """The query that the application gets, still encoded. If it is given, it has to be that of the target."""
    read_body: Callable[[int], bytes | Awaitable[bytes]] | None = None
    """Returns the whole body, or raises `BodyTooLong` if it is longer than so many bytes. It is called at most once, and only if
    the question draws from the body. Without it, such requests are refused."""
    from_proxy: Callable[[], bool] = lambda: False
    """Whether the sender is an authenticated proxy. Only then may a field name the person."""


@dataclass(frozen=True)
class Resolution:
    """The meaning of a request."""

    route: Route | None = None
    """The route that matches."""
    question: Evaluation | None = None
    """What to ask; `None` if the route is public, or if there is none."""


@dataclass(frozen=True)
class Verify:
    """Asks for the claims of a token. An exception that is thrown in says why there are none."""

    token: str


@dataclass(frozen=True)
class ReadBody:
    """Asks for the body, of at most `limit` bytes."""

    limit: int


@dataclass
class Matched:
    """Where the resolution has got to, for the log of a request that is refused."""

    route: Route | None = None


@dataclass(frozen=True)
class Table:
    """A parsed route file. It is immutable."""

    subject: Subject
    supported_obligations: Sequence[str]
    """The kinds of obligation that the application behind fulfills."""
    routes: Sequence[Route]
    _find: Callable[[Sequence[str], str, str], Route | None] = field(repr=False)

    def resolve(self, request: Request, matched: Matched) -> Generator[Verify | ReadBody, Any, Resolution]:
        """Find out what a request means. The generator yields what it needs, and raises `RouteError`."""
        if not is_method(request.method):
            raise BadRequest("The method is not a word of upper-case letters: send one such as GET.")
        if request.method in ("TRACE", "CONNECT"):
            raise BadRequest("The method is TRACE or CONNECT, which is never served here: send another one.")
        target = parse_target(request.target)
        if request.path is not None and request.path != target.path:
            raise BadRequest("The path that was sent is not the one that the application gets: send the path that is meant.")
        if request.query is not None and request.query != target.query:
            raise BadRequest("The query that was sent is not the one that the application gets: send the query that is meant.")
        host = canonical_host(request.host)
        check_headers(request.headers)
        if overrides_method(target.query):
            raise BadRequest(f"The query has the parameter {METHOD_PARAMETER}: send the method that is meant.")
        route = matched.route = self._find(target.path[1:].split("/"), host, request.method)
        if route is None:
            return Resolution()
        if route.public:
            self.subject.check_unasked(request.headers, request.from_proxy())
            return Resolution(route)
        claims: Mapping[str, Any] = {}
        if self.subject.jwt:
            claims = yield Verify(self.subject.jwt.token(request.headers))
            person = self.subject.jwt.person(claims)
        else:
            person = self.subject.named_by_proxy(request.headers, request.from_proxy())
        drawing = _Drawing(request, route, target, claims)
        if route.drawn_query:
            check_query(target.query)
            check_no_form(request.headers)
        if route.draws_body:
            data = yield ReadBody(MAX_BODY)
            if len(data) > MAX_BODY:  # what reads bodies for an adapter has not heeded the limit
                raise too_long()
            if data:
                drawing.body = parse_body(data, request.headers)
                check_members(drawing.body, route.drawn_query)
        return Resolution(route, drawing.question(person))


@dataclass
class _Drawing:
    """Turns one request into a question."""

    request: Request
    route: Route
    target: Target
    claims: Mapping[str, Any]
    body: Any = None

    def question(self, person: str) -> Evaluation:
        route = self.route
        action = self._draw(route.action, Form.TEXT)
        id_ = self._draw(route.resource_id, Form.TEXT)
        properties = self._members(route.properties, Form.ANY)
        places = self._members([("location", route.location)], Form.TEXT)
        about = {**self._members(route.resource_properties, Form.ANY), **places}
        context = {
            **self._members([("current_location", route.current_location)], Form.TEXT),
            **self._members([("confirmed", route.confirmed)], Form.BOOLEAN),
            **self._members([("at_least", route.at_least)], Form.TEXT),
        }
        return Evaluation(
            Entity("user", person), Action(action, properties or None), Entity(route.resource_type, id_, about or None), context
        )

    def _members(self, members: Sequence[tuple[str, Value | None]], form: Form) -> dict[str, Any]:
        drawn = {}
        for name, value in members:
            if value is None:
                continue
            found = self._draw(value, form)
            if found is not _ABSENT:
                drawn[name] = found
        return drawn

    def _draw(self, value: Value, form: Form) -> Any:
        """Return a value in its form, or `_ABSENT` if it is optional and not there."""
        drawn: Any = None
        if value.source == "":
            return value.literal
        if value.source == "path":
            drawn = value_of(self.route.template, self.target.path, value.segment) or None
        elif value.source == "query":
            drawn = parameter(self.target.query, value.name)
        elif value.source == "header":
            drawn = drawn_header(self.request.headers, value.name)
        elif value.source == "claim":
            drawn = self.claims.get(value.name)
        else:
            drawn = look_up(self.body, value.pointer)
        if drawn is None:
            if value.optional:
                return _ABSENT
            raise _fault(value, "is missing")
        try:
            return convert(drawn, form)
        except Unfit as problem:
            raise _fault(value, str(problem)) from None


_ABSENT = object()


def _fault(value: Value, problem: str) -> RouteError:
    """Return the error for a value that is missing or malformed."""
    if value.source == "claim":
        return Unauthenticated(f"The claim {value.name} of the token {problem}.")
    what = {
        "path": "The part {} of the path {}.",
        "query": "The query parameter {} {}.",
        "header": "The header {} {}.",
        "body": "The value at {} of the body {}.",
    }[value.source]
    return BadRequest(what.format(value.name, problem))


def parse(data: bytes) -> Table:
    """Parse a route file.

    Raises:
        Faults: with every fault of the file.
    """
    root, lines = document(data)
    parser = Parser(lines)
    parser.file(root)
    if parser.faults:
        raise Faults(sorted(parser.faults, key=lambda fault: fault.line))
    return Table(parser.subject, tuple(parser.kinds), tuple(parser.routes), parser.tree.find)


def load(path: str | os.PathLike[str]) -> Table:
    """Read a route file: JSON, or YAML where PyYAML is installed.

    Raises:
        Faults: with every fault of the file.
        OSError: if it cannot be read.
    """
    with open(path, "rb") as file:
        return parse(file.read(MAX_FILE + 1))
