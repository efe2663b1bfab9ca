from __future__ import annotations

from dataclasses import dataclass, field

from ._template import Segment
from ._value import Value


@dataclass
class Route:
    """A route of a file."""

    path: str = ""
    """The template, which may be logged."""
    methods: list[str] = field(default_factory=list)
    host: str = ""
    """Empty if any."""
    public: bool = False
    action: Value = field(default_factory=Value)
    resource_type: str = ""
    resource_id: Value = field(default_factory=Value)
    index: int = 0
    line: int = 0
    """In the file; 0 where it is not known."""
    template: list[Segment] = field(default_factory=list)
    properties: list[tuple[str, Value]] = field(default_factory=list)
    resource_properties: list[tuple[str, Value]] = field(default_factory=list)
    location: Value | None = None
    current_location: Value | None = None
    confirmed: Value | None = None
    at_least: Value | None = None
    draws_body: bool = False
    drawn_query: list[str] = field(default_factory=list)
    drawn_headers: list[str] = field(default_factory=list)

    def takes(self, host: str, method: str) -> bool:
        """Tell whether the route takes a host and a method. One for GET takes HEAD too."""
        if self.host and self.host != host:
            return False
        return method in self.methods or (method == "HEAD" and "GET" in self.methods)
