"""Parameters of the query: one value, or none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ._error import BadRequest
from ._header import Headers, one
from ._target import unescape
from ._value import has_control

METHOD_PARAMETER = "_method"

_FOLD = str.maketrans(". [+", "____")


def parameter(query: str, name: str) -> str | None:
    """Return the value of a parameter. A second one is an error, and one that only some programs take for it.

    The query must have passed `check_query`.
    """
    value: str | None = None
    for pair in query.split("&"):
        raw_name, _, raw_value = pair.partition("=")
        if not same_parameter(decode_parameter(raw_name), name):
            continue
        if value is not None:
            raise BadRequest(f"The query parameter {name} is there twice: send it once.")
        if decode_parameter(raw_name) != name or "+" in raw_name:
            raise BadRequest(f"The query parameter {name} is there in another spelling: send it as {name}.")
        if "+" in raw_value:
            raise BadRequest(f"The query parameter {name} has a plus sign: send %20 for a space or %2B for a plus sign.")
        if not raw_value:
            raise BadRequest(f"The query parameter {name} is empty: send a value, or leave it out.")
        value = decode_parameter(raw_value)
    return value


def check_query(query: str) -> None:
    """Refuse a query that programs could read in different ways."""
    if ";" in query:
        raise BadRequest("The query has a semicolon: programs disagree on whether a parameter begins there. Send %3B.")
    decoded = unescape(query)
    if decoded is None:
        raise BadRequest("The query has a percent sign without two hexadecimal digits after it: encode characters as %XX.")
    try:
        text = decoded.decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest("The query is not valid UTF-8 after decoding: percent-encode characters as UTF-8.") from None
    if has_control(text):
        raise BadRequest("The query has an encoded control character.")


def check_no_form(headers: Headers) -> None:
    """Refuse a form beside a drawn parameter: many frameworks merge its fields with those of the query."""
    content_type = (one(headers, "Content-Type") or "").lstrip(" \t").lower()
    if content_type.startswith(("application/x-www-form-urlencoded", "multipart/")):
        raise BadRequest(
            "The request has a form, whose fields some programs take for parameters of the query: send them in one place."
        )


def check_members(body: Any, drawn: Sequence[str]) -> None:
    """Refuse a body with a member that is named like a drawn parameter: some frameworks merge those too."""
    if not isinstance(body, dict):
        return
    for member in body:
        for name in drawn:
            if same_parameter(member, name):
                raise BadRequest(f"The body has a member with the name of the query parameter {name}: send one of them.")


def overrides_method(query: str) -> bool:
    """Tell whether the query has a parameter with which some frameworks override the method."""
    return any(
        same_parameter(decode_parameter(pair.partition("=")[0]), METHOD_PARAMETER) for pair in re.split("[&;]", query) if pair
    )


def decode_parameter(text: str) -> str:
    """Decode a name or a value. If a percent sign is invalid, only plus signs are decoded."""
    text = text.replace("+", " ")
    if "%" not in text:
        return text
    decoded = unescape(text)
    return text if decoded is None else decoded.decode("utf-8", "surrogateescape")


def same_parameter(received: str, name: str) -> bool:
    """Tell whether some program takes the parameter `received` for `name`.

    Ignoring case; with PHP's underscore for a dot, a space or a bracket; as an array or an object (`name[]`, `name[x]`,
    `[name]`); or with spaces around it.
    """
    received = received.strip(" ")
    if _equal(received, name):
        return True
    received = received.lstrip("[ ")
    bracket = re.search(r"[\[\]\0]", received)
    return bracket is not None and bracket.start() > 0 and _equal(received[: bracket.start()], name)


def _equal(a: str, b: str) -> bool:
    if len(a) == len(b) and _folded(a) == _folded(b):
        return True
    return not a.isascii() and a.casefold() == b.casefold()


def _folded(text: str) -> str:
    return text.translate(_FOLD).lower() if text.isascii() else text.translate(_FOLD)
