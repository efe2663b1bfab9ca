"""Protects operations of FastAPI, and of Starlette, in code: a dependency asks before an operation.

Add `wardkeeper_pep.asgi.Middleware` too: it answers with refusals, and does the obligations that follow. With a checker, it
judges all requests by a route file, and no dependency is needed.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Union

from starlette.requests import Request

from .asgi import OUTCOMES, RESULT
from .authzen import Action, Entity, Evaluation
from .check import Result, resolved
from .pep import AsyncEnforcer, Outcome
from .refusal import Refusal, Refused
from .trace import current_trace, new_trace, using_trace

_log = logging.getLogger("wardkeeper_pep")

_CONFIRMED = "wardkeeper.confirmed"

Person = Callable[[Request], Union[str, Awaitable[Union[str, None]], None]]
"""Returns the id of the person who has signed in, or `None`."""
Drawn = Union[str, Callable[[Request], Union[str, Awaitable[Union[str, None]], None]]]
"""A parameter of the path in braces, as in `"{id}"`, another text as it is, or a function that returns a value."""

Confirmed = str | Callable[[Request], bool]
"""The name of a header, or a function."""


class Protection:
    """Makes dependencies that ask the decision point.

    Args:
        enforcer: asks.
        person: returns the id of the person who has signed in, or `None`.
        context: returns what every question has in its context, such as `current_location`.
    """

    def __init__(
        self, enforcer: AsyncEnforcer, person: Person, *, context: Callable[[Request], Mapping[str, Any]] | None = None
    ) -> None:
        self._enforcer, self._person, self._context = enforcer, person, context

    def may(
        self,
        action: str,
        resource: Drawn,
        *,
        type: str = "user",
        location: Drawn | None = None,
        confirmed: Confirmed = "X-Confirmed",
    ) -> Callable[[Request], Awaitable[Outcome]]:
        """Return a dependency that lets an operation run only if the person may do `action` to `resource`.

        `confirmed` tells whether the person has been shown what is to be confirmed: a function, or the name of a header whose
        value is then `true`. A header confirms one question: where a request asks several, each has a header of its own.
        """

        async def ask(request: Request) -> Outcome:
            if OUTCOMES not in request.scope:
                raise RuntimeError("add wardkeeper_pep.asgi.Middleware to the application: it does what obliges")
            about = await self.about(request, await _drawn(resource, request), type=type)
            if location is not None:
                place = await _drawn(location, request)
                entity = Entity(about.resource.type, about.resource.id, {"location": place})
                about = Evaluation(about.subject, about.action, entity, about.context)
            context = dict(about.context)
            if confirmed(request) if callable(confirmed) else _is_confirmed(request, confirmed, (action, about)):
                context["confirmed"] = True
            trace = current_trace() if current_trace().request_id else new_trace(request.headers.getlist)
            with using_trace(trace):
                outcome = await self._enforcer.enforce(Evaluation(about.subject, Action(action), about.resource, context))
            if not outcome.permitted:
                _log.info(
                    "an operation was refused: action=%s verdict=%s request_id=%s error=%s",
                    *(action, outcome.verdict.value, trace.request_id, outcome.error),
                )
                raise Refused(outcome.refusal)
            request.scope[OUTCOMES].append(outcome)
            return outcome

        return ask

    async def can(self, request: Request, actions: Sequence[str], resource: str | Entity) -> dict[str, bool]:
        """Tell which actions a page offers. It is one request."""
        return await self._enforcer.can(actions, await self.about(request, resource))

    async def about(self, request: Request, resource: str | Entity, *, type: str = "user") -> Evaluation:
        """Return a question of the person of a request about a resource, without an action.

        Raises:
            Refused: with 401, if nobody has signed in.
        """
        person = await resolved(self._person(request))
        if not person:
            raise Refused(Refusal.unauthenticated())
        if isinstance(resource, str):
            resource = Entity(type, resource)
        return Evaluation(Entity("user", person), Action(""), resource, dict(self._context(request)) if self._context else {})


def _is_confirmed(request: Request, header: str, asked: object) -> bool:
    """Tell whether the person has confirmed this question. A header stands for one question: its warnings are what was shown."""
    if request.headers.getlist(header) != ["true"]:
        return False
    known: dict[str, str] = request.scope.setdefault(_CONFIRMED, {})
    result = request.scope.get(RESULT)
    if not known and isinstance(result, Result) and (drawn := result.confirmed_by):
        known[drawn.lower()] = "the question of the route file"
    key = repr(asked)
    return known.setdefault(header.lower(), key) == key


async def checked(request: Request) -> Result:
    """Return the result of checking the request by a route file: a dependency for operations."""
    result = request.scope.get(RESULT)
    if not isinstance(result, Result):
        raise RuntimeError("add wardkeeper_pep.asgi.Middleware with a checker to the application")
    return result


async def _drawn(value: Drawn, request: Request) -> str:
    if callable(value):
        drawn = await resolved(value(request))
    elif value.startswith("{") and value.endswith("}"):
        drawn = request.path_params[value[1:-1]]
        drawn = str(drawn)
    else:
        drawn = value
    if not drawn:
        raise Refused(Refusal.bad_request("The request does not say whom or what it is about."))
    return drawn
