"""Request targets: one spelling, or none."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from ._error import BadRequest

MAX_TARGET = 8 << 10  # bytes

_RAW = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,=:@/%]*", re.ASCII)  # RFC 3986 section 3.3, without the semicolon
_ENCODED = re.compile(r"%([0-9A-Fa-f]{2})?", re.ASCII)
_DELIMITERS = frozenset("/\\%;?#")
# What compatibility normalization, which some programs apply to paths, turns into text with a delimiter of paths.
_LOOKALIKES = frozenset(
    map(
        chr,
        [
            *(0x037E, 0x2024, 0x2025, 0x2026, 0x2047, 0x2048, 0x2049, 0x2100, 0x2101, 0x2105, 0x2106, 0x33C2, 0x33C7, 0x33D8),
            *(0xFE16, 0xFE14, 0xFE19, 0xFE30, 0xFE52, 0xFE54, 0xFE56, 0xFE5F, 0xFE68, 0xFE6A),
            *(0xFF03, 0xFF05, 0xFF0E, 0xFF0F, 0xFF1B, 0xFF1F, 0xFF3C, 0x1F100),
            *range(0x2488, 0x249C),
        ],
    )
)


class Target(NamedTuple):
    """A request target: the decoded path, in which slashes only separate segments, and the query as it was received."""

    path: str
    query: str


def parse_target(raw: str) -> Target:
    """Parse a request target as it was received."""
    if len(raw) > MAX_TARGET:
        raise BadRequest("The request target is too long: send at most 8 KiB.")
    if not raw.startswith("/"):
        raise BadRequest("The request target is not a path: send it in origin form, beginning with a slash.")
    if any(c <= " " or c >= "\x7f" for c in raw):
        raise BadRequest(
            "The request target has a space, a control character or a character outside ASCII: percent-encode it as UTF-8."
        )
    if "#" in raw:
        raise BadRequest("The request target has a fragment: leave it out.")
    path, _, query = raw.partition("?")
    decoded = _decode_path(path)
    check_segments(decoded)
    return Target(decoded, query)


def _decode_path(path: str) -> str:
    matched = _RAW.match(path)
    end = matched.end() if matched else 0
    if end < len(path):
        if path[end] == ";":
            raise BadRequest("The path has a semicolon: programs disagree on whether a parameter begins there.")
        if path[end] == "\\":
            raise BadRequest("The path has a backslash: programs disagree on whether it is a slash.")
        raise BadRequest("The path has a character that must be percent-encoded there.")
    if "%" not in path:
        return path
    decoded = unescape(path)
    if decoded is None:
        raise BadRequest("The path has a percent sign without two hexadecimal digits after it: encode characters as %XX.")
    for found in _ENCODED.finditer(path):
        if chr(int(found[1], 16)) in _DELIMITERS:
            raise BadRequest(
                "The path has an encoded slash, backslash, percent sign, semicolon, question mark or number sign: "
                "programs read it in different ways."
            )
    try:
        return decoded.decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest("The path is not valid UTF-8 after decoding: percent-encode characters as UTF-8.") from None


def check_segments(path: str) -> None:
    """Refuse segments that some programs skip, resolve or shorten, and characters that some take for others."""
    if "//" in path:
        raise BadRequest("The path has an empty segment (//): send single slashes.")
    for segment in path.split("/"):
        if segment in (".", ".."):
            raise BadRequest("The path has a dot segment: send the path that is meant.")
        if segment.endswith((".", " ")):
            raise BadRequest("A segment of the path ends with a dot or a space: some programs drop it.")
    if path.isascii() and path.isprintable():
        return
    for c in path:
        if c < " " or c == "\x7f":
            raise BadRequest("The path has an encoded control character.")
        if c > "\x7f" and (unicodedata.category(c) in ("Cc", "Zl", "Zp") or c in _LOOKALIKES):
            raise BadRequest(
                "The path has a character that some programs convert to a slash, a dot or another delimiter, or to a line break."
            )


def unescape(text: str) -> bytes | None:
    """Decode %XX. It is `None` if a percent sign is not followed by two hexadecimal digits."""
    parts: list[bytes] = []
    end = 0
    for found in _ENCODED.finditer(text):
        if found[1] is None:
            return None
        parts += [text[end : found.start()].encode("utf-8", "surrogatepass"), bytes([int(found[1], 16)])]
        end = found.end()
    parts.append(text[end:].encode("utf-8", "surrogatepass"))
    return b"".join(parts)
