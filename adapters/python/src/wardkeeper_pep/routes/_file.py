"""Reads the document of a route file: JSON, or YAML where PyYAML is installed."""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar

from .. import _json
from ._error import Fault, Faults

MAX_FILE = 1 << 20  # bytes


class Odd:
    """A value that a route file does not have, such as a date."""

    def __init__(self, what: str) -> None:
        self.what = what


def document(data: bytes) -> tuple[Any, dict[str, int]]:
    """Return the document, and the lines of its places as far as they are known.

    Raises:
        Faults: if it cannot be read at all.
    """
    if len(data) > MAX_FILE:
        raise _fault("the file is larger than 1 MiB: remove what is not needed")
    if not data.strip():
        raise _fault("the file is empty: begin it with version: 1")
    if data.lstrip()[:1] == b"{":
        try:
            return _json.parse(data), {}
        except _json.MalformedJSON as error:
            problem = str(error)
        try:
            json.loads(data)
        except (ValueError, RecursionError):
            pass  # it may be YAML
        else:
            raise _fault(problem)
    try:
        import yaml
    except ImportError:
        raise _fault(
            "this is not JSON, and YAML cannot be read here: install wardkeeper-pep[yaml], or write the file as JSON"
        ) from None
    try:
        return _yaml(yaml, data)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        text = getattr(error, "problem", None) or "it cannot be read"
        if "expected ',' or '}'" in text:
            text += "; within { } put a path with parameters in quotes"
        raise _fault("this is not YAML: " + text, mark.line + 1 if mark else 1) from None
    except (RecursionError, UnicodeError):
        raise _fault("this is not YAML: it is nested too deeply, or not UTF-8") from None


def _fault(message: str, line: int = 0) -> Faults:
    return Faults([Fault("", message, line)])


# How YAML 1.2 resolves what is written plainly. PyYAML has YAML 1.1, in which "no" and "on" are booleans.
_PLAIN = (
    ("null", re.compile(r"~|null|Null|NULL|"), [*"~nN", ""]),
    ("bool", re.compile(r"true|True|TRUE|false|False|FALSE"), [*"tTfF"]),
    ("int", re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"), [*"-+0123456789"]),
    (
        "float",
        re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"),
        [*"-+.0123456789"],
    ),
    ("timestamp", re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?"), [*"0123456789"]),
    ("merge", re.compile("<<"), ["<"]),
)
_PREFIX = "tag:yaml.org,2002:"


def _yaml(yaml: Any, data: bytes) -> tuple[Any, dict[str, int]]:
    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}

    for name, pattern, first in _PLAIN:
        Loader.add_implicit_resolver(_PREFIX + name, re.compile(f"(?:{pattern.pattern})\\Z"), first)
    depth = 0
    for event in yaml.parse(data, Loader=Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _json.MAX_DEPTH:  # what follows would take PyYAML long
            raise _fault("this is nested too deeply: no value needs that", event.start_mark.line + 1)
        if isinstance(event, yaml.AliasEvent):
            raise _fault("this is an alias: write the value itself", event.start_mark.line + 1)
    nodes = list(yaml.compose_all(data, Loader=Loader))
    if not nodes:
        raise _fault("the file is empty: begin it with version: 1")
    if len(nodes) > 1:
        raise _fault("a second document begins: remove it", nodes[1].start_mark.line + 1)
    lines: dict[str, int] = {}
    faults: list[Fault] = []
    value = _value(yaml, nodes[0], "", lines, faults)
    if faults:
        raise Faults(faults)
    return value, lines


def _value(yaml: Any, node: Any, where: str, lines: dict[str, int], faults: list[Fault]) -> Any:
    line = lines[where] = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        return [_value(yaml, element, f"{where}[{i}]", lines, faults) for i, element in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return _scalar(node.tag, node.value)
    members: dict[str, Any] = {}
    for key, member in node.value:
        at = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode) or key.tag != _PREFIX + "str":
            faults.append(Fault(where, "a key is not a text: put it in quotes if it is meant", at))
        elif key.value in members:
            faults.append(Fault(where, f'"{key.value}" is there twice: remove one of them', at))
        else:
            members[key.value] = _value(yaml, member, f"{where}.{key.value}".lstrip("."), lines, faults)
    lines[where] = line
    return members


def _scalar(tag: str, text: str) -> Any:
    kind = tag[len(_PREFIX) :] if tag.startswith(_PREFIX) else tag
    if kind == "str":
        return text
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind in ("int", "float"):
        try:
            value = _json.parse(text.encode())
        except _json.MalformedJSON:
            return Odd("a number that JSON does not have")
        return value
    return Odd("not a text")
