"""Parses route files, and collects all of their faults."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ._body import parse_pointer
from ._error import BadRequest, Fault
from ._file import Odd
from ._header import OURS, REFUSED, REPLACED, UNDRAWABLE, folded, is_any, is_reserved
from ._host import canonical_host
from ._match import Tree
from ._query import METHOD_PARAMETER, same_parameter
from ._route import Route
from ._subject import Jwt, Subject
from ._template import TemplateError, index_of, parse_template, shape_of
from ._value import MAX_NAME, Form, Value, has_control

MAX_ROUTES = 10_000

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""The signature algorithms that verify with a public key."""

_ROUTE_KEYS = (
    *("path", "host", "methods", "public", "action", "properties", "resource", "location"),
    *("current_location", "confirmed", "at_least"),
)
_SOURCES = ("path", "query", "header", "claim", "body")
_METHOD = re.compile(r"[A-Z0-9!#$%&'*+\-.^_`|~]{1,32}", re.ASCII)


def is_method(method: str) -> bool:
    """Tell whether this is a token without lower-case letters."""
    return _METHOD.fullmatch(method) is not None


class Parser:
    """Builds a table from a document."""

    def __init__(self, lines: Mapping[str, int]) -> None:
        self.faults: list[Fault] = []
        self.subject = Subject()
        self.kinds: list[str] = []
        self.routes: list[Route] = []
        self.tree = Tree()
        self._lines = lines
        self._defaults: dict[str, Any] = {}
        self._shapes: dict[str, Route] = {}

    def _add(self, where: str, message: str) -> None:
        self.faults.append(Fault(where, message, self._lines.get(where, 0)))

    def file(self, root: Any) -> None:
        """Parse the whole document."""
        keys = self._mapping(root, "", "the file", ("version", "subject", "supported_obligations", "defaults", "routes"))
        if keys is None:
            return
        version = keys.get("version")
        if "version" not in keys:
            self._add("", "version is missing: begin the file with version: 1")
        elif isinstance(version, (bool, float)) or version != 1:
            self._add("version", "version is not 1: write version: 1, the only one that there is")
        if "subject" in keys:
            self._subject(keys["subject"])
        if "supported_obligations" in keys:
            self._obligations(keys["supported_obligations"])
        if "defaults" in keys:
            known = ("host", "current_location", "confirmed", "at_least")
            self._defaults = self._mapping(keys["defaults"], "defaults", "defaults", known) or {}
            self._check_defaults()
        if "routes" not in keys:
            self._add("", "routes is missing: list at least one route")
            return
        self._routes(keys["routes"], "subject" in keys)

    def _subject(self, value: Any) -> None:
        keys = self._mapping(value, "subject", "subject", ("jwt", "header"))
        if keys is None:
            return
        if ("jwt" in keys) == ("header" in keys):
            self._add("subject", "subject has not exactly one of jwt and header: say in one way who the person is")
        if "jwt" in keys:
            self.subject = Subject(jwt=self._jwt(keys["jwt"]))
        if "header" in keys:
            name = self._text(keys["header"], "subject.header", "header")
            if name and self._check_header_name(name, "subject.header"):
                self.subject = Subject(self.subject.jwt, name)

    def _jwt(self, value: Any) -> Jwt | None:
        known = ("keys", "keys_file", "issuer", "audience", "algorithms", "claim", "cookie")
        keys = self._mapping(value, "subject.jwt", "jwt", known)
        if keys is None:
            return None
        texts = {n: self._text(keys[n], f"subject.jwt.{n}", n) for n in known if n != "algorithms" and n in keys}
        for name in ("issuer", "audience", "algorithms"):
            if name not in keys:
                self._add("subject.jwt", f"{name} is missing: write what a token has to have")
        if ("keys" in keys) == ("keys_file" in keys):
            self._add("subject.jwt", "jwt has not exactly one of keys and keys_file: say in one way where the public keys are")
        if texts.get("keys") and not is_keys_url(texts["keys"]):
            self._add(
                "subject.jwt.keys",
                "keys is not an https URL: write one without user, password and fragment "
                "(http only for this machine, or use keys_file)",
            )
        cookie = texts.get("cookie", "")
        if cookie and not re.fullmatch(r"[A-Za-z0-9!#$&'*+\-.^_`|~]+", cookie, re.ASCII):
            self._add(
                "subject.jwt.cookie", f'cookie "{cookie}" is not a name of a cookie: write letters, digits, hyphens and underscores'
            )
        algorithms: list[str] = []
        if "algorithms" in keys:
            algorithms = self._texts(keys["algorithms"], "subject.jwt.algorithms", "algorithms", "an algorithm")
            if keys["algorithms"] == []:
                self._add("subject.jwt.algorithms", "algorithms is empty: list those that the issuer signs with, such as [ES256]")
            for name in algorithms:
                if name not in ALGORITHMS:
                    message = f'"{name}" is not an algorithm with a public key: use {", ".join(ALGORITHMS)}'
                    self._add("subject.jwt.algorithms", message)
        get = texts.get
        return Jwt(
            get("keys", ""), get("keys_file", ""), get("issuer", ""), get("audience", ""), algorithms, get("claim", "sub"), cookie
        )

    def _obligations(self, value: Any) -> None:
        """Read the kinds of obligation that the application supports. A question has only their types."""
        where = "supported_obligations"
        self.kinds = self._texts(value, where, where, "an obligation type")
        for kind in self.kinds:
            type_, slash, action = kind.partition("/")
            if type_ == "custom" and not action:
                self._add(where, "the obligation custom is not supported as such: name its action, as in custom/confirm")
            elif type_ != "custom" and slash:
                self._add(where, f'"{kind}" is not an obligation type: only custom has an action, as in custom/confirm')

    def _check_defaults(self) -> None:
        """Report the faults of the defaults once, rather than for each route."""
        for name, value in list(self._defaults.items()):
            before = len(self.faults)
            where = "defaults." + name
            if name == "host":
                self._host(value, where)
            else:
                form = Form.BOOLEAN if name == "confirmed" else Form.TEXT
                found = self._member(Route(), value, where, name, form, True)
                if found and found.source in ("path", "body"):
                    self._add(
                        where,
                        f"a default draws from the {found.source}, which differs between routes: "
                        "write it in the routes that have it",
                    )
            if len(self.faults) > before:
                del self._defaults[name]

    def _routes(self, value: Any, has_subject: bool) -> None:
        elements = self._list(value, "routes", "routes")
        if elements is None:
            return
        if not elements:
            self._add("routes", "routes is empty: list at least one route")
        if len(elements) > MAX_ROUTES:
            self._add("routes", f"routes has more than {MAX_ROUTES} routes: join those that ask the same")
            return
        asking = False
        for i, element in enumerate(elements):
            before = len(self.faults)
            where = f"routes[{i}]"
            route = self._route(element, where)
            asking = asking or (route is not None and not route.public)
            if route is not None and len(self.faults) == before:  # else it is not known which routes it hides
                self._insert(route, where)
        if not has_subject and asking:
            self._add("routes", "subject is missing: say who the person is, by jwt or by header")

    def _insert(self, route: Route, where: str) -> None:
        """Add a route. Methods with which no request reaches it are faults, and other names for the parameters of a template."""
        route.index, route.line = len(self.routes), self._lines.get(where, 0)
        other = self._shapes.setdefault(shape_of(route.template), route)
        if other.path != route.path:
            message = f'path "{route.path}" differs from "{other.path}" only by the names of parameters: use the same names'
            self._add(where, message)
            return
        taken: dict[str, Route] = {}  # the first that takes it, by method

        def visit(earlier: Route) -> None:
            if earlier.host and earlier.host != route.host:
                return
            for method in route.methods:
                if earlier.takes(earlier.host, method) and (method not in taken or earlier.index < taken[method].index):
                    taken[method] = earlier

        self.tree.covering(route.template, visit)
        for method in route.methods:
            if method in taken:
                self._add(
                    where,
                    f"no {method} request reaches the route {route.path}: the route {taken[method].path} takes them first; "
                    f"move this one above it, or remove {method} here",
                )
        self.routes.append(route)
        self.tree.insert(route)

    def _route(self, value: Any, where: str) -> Route | None:
        keys = self._mapping(value, where, "a route", _ROUTE_KEYS)
        if keys is None:
            return None
        route = Route()
        if "path" not in keys:
            self._add(where, "path is missing: write the template of the path, such as /users/{id}")
        elif path := self._text(keys["path"], where + ".path", "path"):
            route.path = path
            try:
                route.template = parse_template(path)
            except TemplateError as error:
                self._add(where + ".path", str(error))
        if "host" in keys:
            route.host = self._host(keys["host"], where + ".host")
        else:
            route.host = self._defaults.get("host", "")
        if "methods" in keys:
            self._methods(route, keys["methods"], where + ".methods")
        else:
            self._add(where, "methods is missing: list the methods, such as [GET]")
        if "public" in keys:
            route.public = True
            if self._boolean(keys["public"], where + ".public", "public") is False:
                self._add(where + ".public", "public is false: remove it, because every other route is asked about")
            for name in keys:
                if name not in ("path", "host", "methods", "public"):
                    self._add(
                        f"{where}.{name}", f"{name} is for routes that are asked about, but this one is public: remove one of them"
                    )
            return route
        self._question(route, keys, where)
        return route

    def _question(self, route: Route, keys: dict[str, Any], where: str) -> None:
        if "action" not in keys:
            self._add(where, "action is missing: name it, such as user.view, or write public: true")
        else:
            route.action = self._member(route, keys["action"], where + ".action", "action", Form.TEXT, False) or route.action
        if "properties" in keys:
            route.properties = self._members(route, keys["properties"], where + ".properties", "properties")
        if "resource" in keys:
            self._resource(route, keys["resource"], where + ".resource")
        else:
            self._add(where, "resource is missing: say whom or what the request is about, such as {id: {path: id}}")
        if "location" in keys:
            route.location = self._member(route, keys["location"], where + ".location", "location", Form.TEXT, True)
            if any(name == "location" for name, _ in route.resource_properties):
                self._add(where + ".location", "location is a property of the resource too: write it once")
        for name, form in (("current_location", Form.TEXT), ("confirmed", Form.BOOLEAN), ("at_least", Form.TEXT)):
            if name in keys:
                setattr(route, name, self._member(route, keys[name], f"{where}.{name}", name, form, True))
            elif name in self._defaults:
                setattr(route, name, self._member(route, self._defaults[name], where, name, form, True))

    def _resource(self, route: Route, value: Any, where: str) -> None:
        route.resource_type = "user"
        keys = self._mapping(value, where, "resource", ("type", "id", "properties"))
        if keys is None:
            return
        if "type" in keys and (kind := self._text(keys["type"], where + ".type", "type")):
            route.resource_type = kind
            self._check_length(kind, where + ".type", "type")
        if "id" not in keys:
            self._add(where, "id is missing: say whom or what the request is about, such as {path: id}")
        else:
            route.resource_id = self._member(route, keys["id"], where + ".id", "id", Form.TEXT, False) or route.resource_id
        if "properties" in keys:
            route.resource_properties = self._members(route, keys["properties"], where + ".properties", "properties")

    def _methods(self, route: Route, value: Any, where: str) -> None:
        elements = self._list(value, where, "methods")
        if elements == []:
            self._add(where, "methods is empty: list the methods, such as [GET]")
        for element in elements or []:
            method = self._text(element, where, "a method")
            if not method:
                continue
            if not is_method(method):
                self._add(where, f'"{method}" is not a method: write it in upper case, such as GET')
            elif method in ("TRACE", "CONNECT"):
                self._add(where, f"{method} is refused always: remove it")
            elif method in route.methods:
                self._add(where, f"{method} is there twice: remove one of them")
            else:
                route.methods.append(method)

    # Values.

    def _members(self, route: Route, value: Any, where: str, what: str) -> list[tuple[str, Value]]:
        members = []
        if not isinstance(value, dict):
            self._add(where, f"{what} is not a mapping: write it as keys with values")
            return []
        for name, member in value.items():
            if not name or has_control(name):
                self._add(where, "the name of a property is empty or has a control character: write another one")
            elif found := self._member(route, member, f"{where}.{name}", name, Form.ANY, True):
                members.append((name, found))
        return members

    def _member(self, route: Route, value: Any, where: str, what: str, form: Form, may_be_optional: bool) -> Value | None:
        """Parse a literal or a reference, and record in the route what it draws from."""
        before = len(self.faults)
        if isinstance(value, dict):
            found = self._reference(route, value, where)
            if found and found.optional and not may_be_optional:
                self._add(where, f"{what} is in every question: remove optional")
        else:
            found = Value(literal=self._literal(value, where, what, form))
        return found if len(self.faults) == before else None

    def _literal(self, value: Any, where: str, what: str, form: Form) -> Any:
        if form is Form.TEXT:
            text = self._text(value, where, what)
            self._check_length(text, where, what)
            return text
        if form is Form.BOOLEAN:
            return self._boolean(value, where, what)
        if isinstance(value, list):
            return [self._scalar(element, where, "an element of " + what) for element in value]
        return self._scalar(value, where, what)

    def _reference(self, route: Route, value: Any, where: str) -> Value | None:
        before = len(self.faults)
        keys = self._mapping(value, where, "a reference", (*_SOURCES, "optional"))
        if keys is None or len(self.faults) > before:
            return None
        found = [source for source in _SOURCES if source in keys]
        optional = "optional" in keys and self._boolean(keys["optional"], where + ".optional", "optional") is True
        if len(found) != 1:
            self._add(
                where,
                "a reference has not exactly one of path, query, header, claim and body: say in one way where the value comes from",
            )
            return None
        source = found[0]
        name = self._text(keys[source], where, source)
        if not name:
            return None
        drawn = Value(source, name=name, optional=optional)
        if source == "path":
            drawn.segment = index_of(route.template, name)
            if drawn.segment < 0 and route.template:  # without one, the path has a fault
                self._add(where, f"the path has no parameter {name}: write {{{name}}} into it, or correct the name")
        elif source == "query":
            self._query(route, name, where)
        elif source == "header":
            self._header(route, name, where)
        elif source == "claim":
            if self.subject.header:
                self._add(where, "there are no claims without a token: use subject.jwt, or draw the value from elsewhere")
        else:
            pointer = parse_pointer(name)
            if pointer is None:
                self._add(where, f'"{name}" is not a JSON pointer: write it as /role or /items/0/id')
            drawn.pointer = pointer or ()
            route.draws_body = True
        return drawn

    def _query(self, route: Route, name: str, where: str) -> None:
        if not re.fullmatch(r"[A-Za-z0-9\-_~]([A-Za-z0-9\-._~]*[A-Za-z0-9\-_~])?", name, re.ASCII):
            self._add(
                where,
                f'"{name}" is not a name of a query parameter that every program reads alike: '
                "use letters, digits, hyphens, underscores and dots",
            )
            return
        if same_parameter(METHOD_PARAMETER, name):
            message = f"requests with the query parameter {METHOD_PARAMETER} are refused: draw the value from elsewhere"
            self._add(where, message)
            return
        for other in route.drawn_query:
            if other != name and same_parameter(other, name):
                self._add(where, f"the query parameters {other} and {name} are the same to some programs: draw from one of them")
                return
        route.drawn_query.append(name)

    def _header(self, route: Route, name: str, where: str) -> None:
        if not self._check_header_name(name, where):
            return
        if self.subject.header and folded(self.subject.header) == folded(name):
            self._add(where, f"the header {name} names the person: draw the value from elsewhere")
        route.drawn_headers.append(name)

    def _check_header_name(self, name: str, where: str) -> bool:
        if not re.fullmatch(r"[A-Za-z0-9\-]+", name, re.ASCII):
            self._add(where, f'"{name}" is not a name of a header: use letters, digits and hyphens')
        elif is_any(name, UNDRAWABLE) or is_any(name, REFUSED):
            self._add(where, f"the header {name} cannot be drawn from: proxies act on it, or requests with it are refused")
        elif is_reserved(name):
            message = f"the header {name} cannot be drawn from: requests with a header that begins with {OURS} are refused"
            self._add(where, message)
        elif is_any(name, REPLACED):
            self._add(where, f"the header {name} cannot be drawn from: proxies and adapters set it themselves")
        else:
            return True
        return False

    # Nodes.

    def _mapping(self, value: Any, where: str, what: str, known: Sequence[str]) -> dict[str, Any] | None:
        if not isinstance(value, dict):
            self._add(where, f"{what} is not a mapping: write it as keys with values")
            return None
        for key in value:
            if key not in known:
                self._add(where, f'"{key}" is not a key of {what}: use {", ".join(known)}')
        return {key: member for key, member in value.items() if key in known}

    def _list(self, value: Any, where: str, what: str) -> list[Any] | None:
        if isinstance(value, list):
            return value
        self._add(where, f"{what} is not a list: write it as [A, B]")
        return None

    def _texts(self, value: Any, where: str, what: str, element: str) -> list[str]:
        texts: list[str] = []
        for entry in self._list(value, where, what) or []:
            text = self._text(entry, where, element)
            if text in texts:
                self._add(where, f'"{text}" is there twice: remove one of them')
            elif text:
                texts.append(text)
        return texts

    def _text(self, value: Any, where: str, what: str) -> str:
        if not isinstance(value, str):
            self._add(where, f"{what} is not a text: put it in quotes if it is meant")
        elif not value:
            self._add(where, f"{what} is empty: write a value, or remove the key")
        elif has_control(value):
            self._add(where, f"{what} has a control character or is not UTF-8: remove it")
        else:
            return value
        return ""

    def _boolean(self, value: Any, where: str, what: str) -> bool | None:
        if isinstance(value, bool):
            return value
        self._add(where, f"{what} is neither true nor false: write one of them")
        return None

    def _scalar(self, value: Any, where: str, what: str) -> Any:
        if isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, Odd) and value.what != "not a text":
            self._add(where, f"{what} is {value.what}: write it in decimal, or put it in quotes")
            return None
        return self._text(value, where, what)

    def _check_length(self, text: str, where: str, what: str) -> None:
        if len(text.encode("utf-8", "surrogatepass")) > MAX_NAME:
            self._add(where, f"{what} is longer than {MAX_NAME} bytes: shorten it")

    def _host(self, value: Any, where: str) -> str:
        """Parse a host, which is written as requests are compared with it."""
        text = self._text(value, where, "host")
        if not text:
            return ""
        try:
            if canonical_host([text]) == text:
                return text
        except BadRequest:
            pass
        self._add(
            where,
            f'host "{text}" is not a host as requests are compared with it: '
            "write it in lower case, without a port or a trailing dot",
        )
        return ""


def is_keys_url(text: str) -> bool:
    """Tell whether this is an https URL, or an http URL of this machine."""
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc or "#" in text or re.search(r"[^!-~]", text):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
