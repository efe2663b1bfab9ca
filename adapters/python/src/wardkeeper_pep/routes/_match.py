"""Finds the first route that matches a request."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ._route import Route
from ._template import LITERAL, PARAMETER, REST, Segment


class Tree:
    """Stands for the segments that lead to it."""

    def __init__(self, first: int = 0) -> None:
        self._first = first  # the lowest index of a route here or below
        self._literals: dict[str, Tree] = {}
        self._parameter: Tree | None = None
        self._ends: list[Route] = []  # routes whose template ends here, in the file's order
        self._rests: list[Route] = []  # routes whose template continues with a rest, in the file's order

    def insert(self, route: Route) -> None:
        """Add a route. Routes come in the file's order."""
        node = self
        for segment in route.template:
            if segment.kind == REST:
                node._rests.append(route)
                return
            node = node._child(segment, route.index)
        node._ends.append(route)

    def _child(self, segment: Segment, index: int) -> Tree:
        if segment.kind == PARAMETER:
            if self._parameter is None:
                self._parameter = Tree(index)
            return self._parameter
        return self._literals.setdefault(segment.text, Tree(index))

    def find(self, parts: Sequence[str], host: str, method: str, best: Route | None = None) -> Route | None:
        """Return the first route that matches the rest of a path: `best`, or one before it."""
        if best is not None and best.index < self._first:
            return best
        if not parts:
            return _earliest(self._ends, host, method, best)
        best = _earliest(self._rests, host, method, best)
        part, rest = parts[0], parts[1:]
        child = self._literals.get(part)
        if child is not None:
            best = child.find(rest, host, method, best)
        if self._parameter is not None and part:
            best = self._parameter.find(rest, host, method, best)
        return best

    def covering(self, template: Sequence[Segment], visit: Callable[[Route], None]) -> None:
        """Call `visit` for each route whose template matches every path that `template` matches."""
        if not template:
            for route in self._ends:
                visit(route)
            return
        for route in self._rests:
            visit(route)
        first = template[0]
        if first.kind == LITERAL and (child := self._literals.get(first.text)):
            child.covering(template[1:], visit)
        if self._parameter is not None and (first.kind == PARAMETER or (first.kind == LITERAL and first.text)):
            self._parameter.covering(template[1:], visit)


def _earliest(candidates: Sequence[Route], host: str, method: str, best: Route | None) -> Route | None:
    for route in candidates:
        if best is not None and route.index > best.index:
            return best
        if route.takes(host, method):
            return route
    return best
