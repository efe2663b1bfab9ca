"""Templates of paths."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ._error import BadRequest
from ._target import MAX_TARGET, check_segments

MAX_SEGMENTS = 64

LITERAL, PARAMETER, REST = "literal", "parameter", "rest"

_PARAMETER = re.compile(r"\{(.*?)(\.\.\.)?\}", re.DOTALL)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


class Segment(NamedTuple):
    """A segment of a template: exactly its text, `{name}`, or `{name...}`."""

    kind: str
    text: str


class TemplateError(ValueError):
    """A text is not a template."""


def parse_template(text: str) -> list[Segment]:
    """Parse a template such as `/users/{id}/files/{path...}`. That of "/" has one segment, the empty literal."""
    if not text.startswith("/"):
        raise TemplateError(f'path "{text}" does not begin with a slash: write it as /users/{{id}}')
    if len(text.encode("utf-8")) > MAX_TARGET:
        raise TemplateError(f"path is longer than {MAX_TARGET} bytes: shorten it")
    parts = text[1:].split("/")
    if len(parts) > MAX_SEGMENTS:
        raise TemplateError(f"path has more than {MAX_SEGMENTS} segments: shorten it")
    template: list[Segment] = []
    for i, part in enumerate(parts):
        try:
            segment = _segment(part)
        except TemplateError as error:
            raise TemplateError(f'path "{text}": {error}') from None
        if segment.kind == REST and i < len(parts) - 1:
            raise TemplateError(f'path "{text}": {{{segment.text}...}} takes the rest of a path: make it the last segment')
        if segment.kind != LITERAL and index_of(template, segment.text) >= 0:
            raise TemplateError(f'path "{text}": the parameter {segment.text} is there twice: rename one of them')
        template.append(segment)
    try:
        check_segments("/" + "/".join(s.text if s.kind == LITERAL else "x" for s in template))
    except BadRequest as error:
        sentence = error.message[0].lower() + error.message[1:].rstrip(".")
        raise TemplateError(f'path "{text}" matches no request, because such requests are refused: {sentence}') from None
    return template


def _segment(part: str) -> Segment:
    if parameter := _PARAMETER.fullmatch(part):
        if not _IDENTIFIER.fullmatch(parameter[1]):
            raise TemplateError(f"{{{parameter[1]}}} is not a parameter: name it with letters, digits and underscores")
        return Segment(REST if parameter[2] else PARAMETER, parameter[1])
    found = re.search(r"[{}%;?#\\]", part)
    if not found:
        return Segment(LITERAL, part)
    if found[0] in "{}":
        raise TemplateError("a parameter is a whole segment: put slashes around it")
    if found[0] == "%":
        raise TemplateError("it has a percent sign: write the character itself that is meant")
    raise TemplateError(f'it has "{found[0]}", which no accepted request has in its path: remove it')


def index_of(template: Sequence[Segment], parameter: str) -> int:
    """Return the index of the segment with a parameter, or -1."""
    return next((i for i, s in enumerate(template) if s.kind != LITERAL and s.text == parameter), -1)


def value_of(template: Sequence[Segment], path: str, index: int) -> str:
    """Return the value of a segment in a path that matches; for a rest, all that follows."""
    parts = path[1:].split("/")
    return "/".join(parts[index:]) if template[index].kind == REST else parts[index]


def shape_of(template: Sequence[Segment]) -> str:
    """Return a text that two templates share exactly if they differ at most in the names of their parameters."""
    return "".join("/" + (s.text if s.kind == LITERAL else "{}" if s.kind == PARAMETER else "{...}") for s in template)
