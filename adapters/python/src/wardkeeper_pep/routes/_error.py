from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class RouteError(Exception):
    """Says why a request could not be resolved. The message is one sentence that may be sent to the person.

    It has names of the route file, but no value of the request.
    """

    status = 400

    def __init__(self, message: str, cause: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.cause = cause
        """For the log."""


class BadRequest(RouteError):
    """The request has no single meaning, or lacks a value."""


class Unauthenticated(RouteError):
    """The person is not known."""

    status = 401


class Unavailable(RouteError):
    """What the request means, or who asks, cannot be found out now."""

    status = 503


@dataclass(frozen=True)
class Fault:
    """A mistake in a route file."""

    where: str
    """The place, such as `routes[3].methods`."""
    message: str
    """What is wrong, and what to do."""
    line: int = 0
    """From 1; 0 where it is not known, as in JSON."""

    def __str__(self) -> str:
        return (f"line {self.line}: " if self.line else "") + (f"{self.where}: " if self.where else "") + self.message


class Faults(ValueError):
    """Has every fault of a route file. There is at least one."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = list(faults)
