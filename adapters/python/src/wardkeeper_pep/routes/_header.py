"""Header fields: what could make the application take a request for another one, and values that a question draws."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from ._error import BadRequest

Headers = Sequence["tuple[str, str]"]
"""The fields in their order. Names may be in any case."""

OURS = "X-Wardkeeper-"
"""The prefix of the fields in which a proxy tells the application what was decided."""

# They make some applications act on another method or path than the request's.
REFUSED = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL")
# In these, proxies usually name the person. They overwrite this spelling alone.
IDENTITY = ("X-Remote-User", "Remote-User", "X-Forwarded-User")
# Proxies act on these, so that the application may get other values than those judged.
UNDRAWABLE = (
    *("Authorization", "Connection", "Content-Length", "Cookie", "Host", "Proxy-Authorization", "TE", "Trailer"),
    *("Transfer-Encoding", "Upgrade"),
)
# Proxies and adapters set these themselves.
REPLACED = ("X-Forwarded-Method", "X-Forwarded-Uri", "X-Forwarded-Host", "X-Request-ID")

_USUAL = 64  # characters of a name that is kept: senders choose names

_OTHER = re.compile("[^a-z0-9]")
_PRINTABLE = re.compile(r"[ -~]*")


def folded(name: str) -> str:
    """Return a text that two names share exactly if some application could take one field for the other.

    Case is ignored, and every character but letters and digits is a hyphen: CGI and its successors make them underscores.
    """
    return _known(name) if len(name) <= _USUAL else _fold(name)


@lru_cache(maxsize=1024)
def _known(name: str) -> str:
    return _fold(name)


def _fold(name: str) -> str:
    return _OTHER.sub("-", name.lower()) if name.isascii() else _OTHER.sub("-", "".join(map(_lower, name)))


def _lower(c: str) -> str:
    return c.lower() if c.isascii() else "-"


_REFUSED = {folded(name): name for name in REFUSED}
_SPELT = {folded(name): name for name in (*UNDRAWABLE, *IDENTITY)}
_OURS = folded(OURS)


def is_reserved(name: str) -> bool:
    """Tell whether an application could take a field for one that only the proxy may send."""
    return folded(name).startswith(_OURS)


def check_headers(headers: Headers) -> None:
    """Refuse fields that could make the application take the request for another one, or for another person's."""
    for name, value in headers:
        same = folded(name)
        if same.startswith(_OURS):
            raise BadRequest(f"The request has a header that only the proxy may set: leave out those that begin with {OURS}.")
        if same in _REFUSED:
            raise BadRequest(f"The request has the header {_REFUSED[same]}: send the request that is meant.")
        meant = _SPELT.get(same)
        if meant is None:
            continue
        lower = name.lower()
        if lower != meant.lower():
            raise BadRequest(f"The request has the header {meant} in another spelling: some programs take it for that.")
        if lower == "connection":
            _check_connection(value)
        elif lower == "trailer":  # some programs merge them
            raise BadRequest("The request announces trailers: send all headers before the body.")
        elif lower == "upgrade" and "h2c" in value.lower():
            raise BadRequest("The request asks for HTTP/2 without TLS (Upgrade: h2c): what follows would not be judged.")


def _check_connection(value: str) -> None:
    """Refuse a field that names others: a proxy would drop those on the way to the application."""
    for option in value.split(","):
        if option.strip(" \t").lower() not in ("", "close", "keep-alive", "upgrade", "te"):
            raise BadRequest("The Connection header names a header: send close, keep-alive or upgrade.")


def values(headers: Headers, name: str) -> list[str]:
    """Return the values of a field, whose name is in lower case."""
    return [value for key, value in headers if key.lower() == name]


def one(headers: Headers, name: str) -> str | None:
    """Return the only value of a field."""
    found: str | None = None
    same, lower = folded(name), name.lower()
    for key, value in headers:
        if folded(key) != same:
            continue
        if found is not None or key.lower() != lower:
            raise BadRequest(f"The header {name} is there twice or in another spelling: send it once.")
        found = value
    return found


def drawn_header(headers: Headers, name: str) -> str | None:
    """Return the value of a field that a question draws from."""
    value = one(headers, name)
    if value is None:
        return None
    if not value:
        raise BadRequest(f"The header {name} is empty: send a value, or leave it out.")
    if "," in value:
        raise BadRequest(f"The header {name} has a comma, as if it had been sent several times: send one value.")
    if not _PRINTABLE.fullmatch(value) or value[0] == " " or value[-1] == " ":
        raise BadRequest(f"The header {name} has characters other than printable ASCII, or spaces around its value.")
    return value


def is_any(name: str, others: Iterable[str]) -> bool:
    """Tell whether some application could take a field for one of others."""
    return any(folded(name) == folded(other) for other in others)
