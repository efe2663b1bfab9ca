"""Bodies that a question draws from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from .. import _json
from ._error import BadRequest
from ._header import Headers, one

MAX_BODY = 64 << 10
"""Bytes of a body that a question draws from."""

_CHARSETS = ("charset=utf-8", 'charset="utf-8"')


class BodyTooLong(Exception):
    """The body is longer than the limit."""


class BodyIncomplete(Exception):
    """The body could not be read completely."""


def too_long() -> BadRequest:
    """Return the error for a body that is longer than the limit."""
    return BadRequest("The body is too long: send at most 64 KiB.")


def parse_body(data: bytes, headers: Headers) -> Any:
    """Parse a body, which is not empty: uncompressed JSON in UTF-8."""
    content_type = one(headers, "Content-Type") or ""
    if one(headers, "Content-Encoding"):
        raise BadRequest("The body is encoded (Content-Encoding): send it as it is.")
    if not _is_json(content_type):
        raise BadRequest("The body is not JSON by its Content-Type: send application/json.")
    try:
        return _json.parse(data)
    except _json.MalformedJSON as error:
        raise BadRequest(str(error)) from None


def _is_json(content_type: str) -> bool:
    """Tell whether a Content-Type is that of JSON, perhaps with the charset, and perhaps with a semicolon at the end.

    One expression for the whole would take quadratic time for blanks.
    """
    kind, *parameters = content_type.split(";")
    if kind.rstrip(" \t").lower() != "application/json" or len(parameters) > 2:
        return False
    stripped = [parameter.strip(" \t").lower() for parameter in parameters]
    if stripped and stripped[-1] == "":
        stripped.pop()
    return not stripped or (len(stripped) == 1 and stripped[0] in _CHARSETS)


def look_up(body: Any, pointer: Sequence[str]) -> Any:
    """Follow a JSON pointer. It is `None` where there is nothing, or null.

    A member whose name differs from the wanted one only in case is an error: some programs take it for the wanted one.
    """
    for token in pointer:
        if isinstance(body, dict):
            if any(name != token and name.casefold() == token.casefold() for name in body):
                raise BadRequest(f"The body has the member {token} in another spelling: send it as {token}.")
            body = body.get(token)
        elif isinstance(body, list) and re.fullmatch(r"0|[1-9][0-9]{0,8}", token) and int(token) < len(body):
            body = body[int(token)]
        else:
            return None
    return body


def parse_pointer(text: str) -> list[str] | None:
    """Decode a JSON pointer (RFC 6901) that is not empty."""
    if not text.startswith("/") or re.search("~(?![01])", text):
        return None
    return [token.replace("~1", "/").replace("~0", "~") for token in text[1:].split("/")]
