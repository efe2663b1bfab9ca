"""Strict JSON: what several programs could read in different ways is an error."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import Any, NoReturn

MAX_DEPTH = 64
"""The deepest nesting of objects and arrays, the outermost included."""

_MAX_NUMBER = 400  # characters: a longer number adds no precision and is slow to compute with

# A string, which may contain brackets, or a bracket. One that does not end matches too, so that the search is never repeated.
_BRACKETS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)


class MalformedJSON(ValueError):
    """The text is not JSON as RFC 7493 demands. The message is a sentence without any part of the text."""


class Rounded(float):
    """A number that has more digits in the text than a float keeps."""


def is_exact(value: Any) -> bool:
    """Tell whether every number in a parsed value has as a 64-bit float, which many programs make of it, the digits of the text."""
    if isinstance(value, Rounded):
        return False
    if isinstance(value, int) and abs(value) > 1 << 53:
        return Decimal(repr(float(value))) == value
    if isinstance(value, dict):
        return all(map(is_exact, value.values()))
    return not isinstance(value, list) or all(map(is_exact, value))


def parse(data: bytes) -> Any:
    """Parse one JSON value: in UTF-8, without duplicate members, unpaired surrogates, or anything after its end.

    Raises:
        MalformedJSON: with a sentence that may be sent to clients.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedJSON("The body is not valid UTF-8: send JSON in UTF-8.") from None
    _check_depth(text)
    try:
        value = _decoder.decode(text)
    except MalformedJSON:
        raise
    except (ValueError, RecursionError):
        raise MalformedJSON("The body is not JSON: send one JSON value.") from None
    if "\\u" in text:
        _check_surrogates(value)
    return value


def parse_object(data: bytes) -> dict[str, Any]:
    """Parse one JSON object, as strictly as `parse`."""
    value = parse(data)
    if not isinstance(value, dict):
        raise MalformedJSON("The body is not a JSON object: send one JSON object.")
    return value


def dump(value: Any) -> bytes:
    """Encode a value. The result has no spaces and no characters outside ASCII that would need another encoding.

    Raises:
        ValueError: if the value has something that JSON does not have.
        TypeError: likewise.
    """
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MalformedJSON("A member appears twice in an object: send it once.")
    return members


def _integer(text: str) -> int | float:
    if len(text) > _MAX_NUMBER:
        _out_of_range()
    if text == "-0":
        return -0.0  # not the whole number 0: programs differ
    number = int(text)
    if abs(number) >= 1 << 1023:
        _out_of_range()
    return number


def _float(text: str) -> float:
    if len(text) > _MAX_NUMBER:
        _out_of_range()
    number = float(text)
    mantissa = re.split("[eE]", text)[0]
    if math.isinf(number) or (number == 0 and mantissa.strip("-0.") != ""):
        _out_of_range()
    return Rounded(number) if number and Decimal(text) != Decimal(repr(number)) else number


def _out_of_range() -> NoReturn:
    raise MalformedJSON("A number is out of range: send numbers that a 64-bit float can hold.")


def _constant(_: str) -> NoReturn:
    raise MalformedJSON("The body is not JSON: it has no such number.")


_decoder = json.JSONDecoder(object_pairs_hook=_members, parse_int=_integer, parse_float=_float, parse_constant=_constant)


def _check_depth(text: str) -> None:
    """Refuse deep nesting before the decoder, which is recursive, meets it."""
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return
    depth = 0
    for found in _BRACKETS.finditer(text):
        bracket = found.group()
        if bracket in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise MalformedJSON(f"The JSON is nested too deeply: nest objects and arrays at most {MAX_DEPTH} levels.")
        elif bracket in "]}":
            depth -= 1


def _check_surrogates(value: Any) -> None:
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise MalformedJSON("A text has half of a surrogate pair: send the whole character.") from None
    elif isinstance(value, dict):
        for name, member in value.items():
            _check_surrogates(name)
            _check_surrogates(member)
    elif isinstance(value, list):
        for element in value:
            _check_surrogates(element)
