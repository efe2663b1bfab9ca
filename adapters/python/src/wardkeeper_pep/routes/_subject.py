from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ._error import BadRequest, Unauthenticated
from ._header import Headers, drawn_header, one
from ._query import decode_parameter, same_parameter
from ._value import Form, Unfit, convert

_TOKEN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/=")


@dataclass(frozen=True)
class Jwt:
    """How the token of the person is verified."""

    keys: str
    """The URL of the key set; empty if `keys_file` is set."""
    keys_file: str
    issuer: str
    audience: str
    algorithms: Sequence[str]
    claim: str
    """The claim that is the id of the person."""
    cookie: str
    """The cookie with the token; empty if it is in the Authorization field."""

    def token(self, headers: Headers) -> str:
        """Return the token of a request."""
        if self.cookie:
            return _check_token(_cookie(headers, self.cookie))
        scheme, _, token = (one(headers, "Authorization") or "").partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("Nobody is signed in: send a token in the Authorization header, as Bearer.")
        return _check_token(token)

    def person(self, claims: object) -> str:
        """Return the person whom the claims of a verified token name."""
        value = claims.get(self.claim) if isinstance(claims, dict) else None
        try:
            person: str = convert(value, Form.TEXT)
        except Unfit as problem:
            raise Unauthenticated(f"The claim {self.claim} of the token {problem}: it has to name the person.") from None
        return person


@dataclass(frozen=True)
class Subject:
    """How the person is identified: by a token, or by a field that an authenticated proxy sets."""

    jwt: Jwt | None = None
    header: str = ""

    def named_by_proxy(self, headers: Headers, from_proxy: bool) -> str:
        """Return the person whom an authenticated proxy names."""
        if not from_proxy:
            raise Unauthenticated(f"Nobody has said who asks: the header {self.header} counts only if it comes from the proxy.")
        value = drawn_header(headers, self.header)
        if value is None:
            raise Unauthenticated("Nobody is signed in.")
        try:
            person: str = convert(value, Form.TEXT)
        except Unfit as problem:
            raise BadRequest(f"The header {self.header} {problem}.") from None
        return person

    def check_unasked(self, headers: Headers, from_proxy: bool) -> None:
        """Refuse a request for a public route that names a person but is not the proxy's: the application may believe it."""
        if self.header and one(headers, self.header) is not None and not from_proxy:
            raise BadRequest(f"The request has the header {self.header}, which only the proxy may set: leave it out.")


def _cookie(headers: Headers, name: str) -> str:
    """Return the value of a cookie, which is there once. HTTP/2 may split cookies over several fields."""
    token: str | None = None
    for key, line in headers:
        if key.lower() != "cookie":
            continue
        for pair in line.split(";"):
            raw_name, _, value = pair.partition("=")
            raw_name = raw_name.strip(" \t")
            if not same_parameter(decode_parameter(raw_name), name):
                continue
            if token is not None or raw_name != name:
                raise BadRequest(f"The cookie {name} is there twice or in another spelling: send it once.")
            token = value.strip(" \t")
    if token is None:
        raise Unauthenticated(f"Nobody is signed in: send the cookie {name}.")
    return token


def _check_token(token: str) -> str:
    """Check that a token is not empty, and has only the characters of tokens (RFC 6750 section 2.1)."""
    if not token or not _TOKEN.issuperset(token):
        raise Unauthenticated("The token is not valid: sign in again.")
    return token
