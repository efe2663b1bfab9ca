"""Values that a question draws, and the forms that their places need."""

from __future__ import annotations

import enum
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .._json import is_exact

MAX_NAME = 1 << 10
"""Bytes of a type, an id or a name."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class Form(enum.Enum):
    """Constrains a value."""

    ANY = enum.auto()
    TEXT = enum.auto()  # not empty, without control characters and spaces around; a whole number counts as its digits
    BOOLEAN = enum.auto()  # also as text


@dataclass
class Value:
    """A literal, or a reference."""

    source: str = ""  # path, query, header, claim or body; "" for a literal
    literal: Any = None
    name: str = ""  # of the parameter, header or claim, or the JSON pointer
    pointer: Sequence[str] = ()
    segment: int = -1  # of the template, for a parameter of the path
    optional: bool = False


class Unfit(Exception):
    """A drawn value is not what its place needs."""


def convert(value: Any, form: Form) -> Any:
    """Return a drawn value in the form that its place needs.

    Raises:
        Unfit: with what is wrong, as the end of a sentence.
    """
    if form is Form.BOOLEAN:
        if value is True or value == "true":
            return True
        if value is False or value == "false":
            return False
        raise Unfit("is neither true nor false")
    if form is Form.ANY:
        if not is_exact(value):
            raise Unfit("has a number that programs round in different ways")
        return value
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 53:
        value = str(value)
    if not isinstance(value, str):
        raise Unfit("is not a text")
    if not value:
        raise Unfit("is empty")
    if has_control(value):
        raise Unfit("has control characters")
    if len(value.encode("utf-8")) > MAX_NAME:
        raise Unfit(f"is longer than {MAX_NAME} bytes")
    if _is_invisible(value[0]) or _is_invisible(value[-1]):  # many frameworks trim what they receive
        raise Unfit("has spaces around it")
    return value


def _is_invisible(c: str) -> bool:
    """Tell whether this is a space or an invisible format character, such as U+200B."""
    return c.isspace() or unicodedata.category(c) == "Cf"


def has_control(text: str) -> bool:
    """Tell whether a text has a control character (C0, DEL or C1), or is not Unicode."""
    return _CONTROL.search(text) is not None
