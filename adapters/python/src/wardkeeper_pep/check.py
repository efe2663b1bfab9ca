"""Checks HTTP requests: finds out by the route file what one means, asks, and tells whether it may pass.

The middleware of all frameworks shares it. It sends no response.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

from . import routes
from .authzen import Action, Entity, Evaluation
from .errors import KeysUnavailable, TokenInvalid
from .pep import AsyncDecider, AsyncEnforcer, Decider, Enforcer, Handler, Outcome
from .refusal import Refusal
from .routes import Request, Route, Table
from .routes._body import too_long
from .trace import Trace, new_trace, using_trace

_log = logging.getLogger("wardkeeper_pep")

T = TypeVar("T")

_MAX_WAIT, _PAUSE = 1.0, 0.02  # seconds, for keys that are being fetched


class Verifies(Protocol):
    """Verifies the token that names a person, as `wardkeeper_pep.identity.Verifier` does."""

    def verify(self, token: str) -> Mapping[str, Any]:
        """Return the claims of a token. A `KeysUnavailable` tells that it cannot be verified now."""


@dataclass(frozen=True)
class Result:
    """The result of checking a request."""

    refusal: Refusal | None
    """What to answer; `None` if the request may pass."""
    subject: str = ""
    """The id of the person; empty if the route is public or the person is not known."""
    outcome: Outcome | None = None
    """The outcome of the question, if one was asked. Its `done` is due once the request has been answered successfully."""
    question: Evaluation | None = None
    route: Route | None = None
    trace: Trace = field(default_factory=Trace)

    @property
    def passes(self) -> bool:
        """Whether the request may pass."""
        return self.refusal is None

    @property
    def confirmed_by(self) -> str:
        """The name of the header that tells whether the question of the route was confirmed; empty if none does."""
        drawn = self.route.confirmed if self.route is not None else None
        return drawn.name if drawn is not None and drawn.source == "header" else ""

    def about(self, resource: str | Entity, *, location: str | None = None, context: Mapping[str, Any] | None = None) -> Evaluation:
        """Return a question of the same person, who stands where the request says, about another resource: for `can`."""
        if isinstance(resource, str):
            resource = Entity("user", resource)
        if location is not None:
            resource = replace(resource, properties={**(resource.properties or {}), "location": location})
        asked = self.question.context if self.question else {}
        kept = {name: asked[name] for name in ("current_location", "at_least") if name in asked}
        return Evaluation(Entity("user", self.subject), Action(""), resource, {**kept, **(context or {})})

    def fields(self) -> list[tuple[str, str]]:
        """Return the fields that tell an application behind a proxy of a request that may pass.

        Every field is there, even if it is empty, so that it replaces what the person has sent.
        """
        obligations = [o.message() for o in self.outcome.obligations] if self.outcome else []
        return [
            ("X-Wardkeeper-Subject", quote(self.subject, safe="$&+:=@")),
            ("X-Wardkeeper-Obligations", json.dumps(obligations, separators=(",", ":"))),
            ("X-Request-ID", self.trace.request_id),
        ]


# A step yields what it needs, is sent it, and returns a result.
_Step = Generator[Any, Any, Result]


@dataclass(frozen=True)
class _Ask:
    question: Evaluation


class _Core:
    """What the blocking and the asynchronous checker share."""

    def __init__(self, table: Table, verifier: Verifies | None, handlers: Mapping[str, Handler] | None) -> None:
        if table.subject.jwt and verifier is None:
            from .identity import Verifier  # needs cryptography

            verifier = Verifier.of(table.subject.jwt)
        self._table, self._verifier = table, verifier
        self._told = handlers is None
        self._handlers = {kind: Handler() for kind in table.supported_obligations} if handlers is None else handlers

    def _check(self, request: Request, trace: Trace) -> _Step:
        matched = routes.Matched()
        result = Result(None, trace=trace)
        error = ""
        try:
            meaning = yield from self._table.resolve(request, matched)
            result = replace(result, route=meaning.route)
            if meaning.question is not None:
                outcome: Outcome = yield _Ask(meaning.question)
                result = replace(result, subject=meaning.question.subject.id, outcome=outcome, question=meaning.question)
                error = outcome.error
                if not outcome.permitted:
                    result = replace(result, refusal=outcome.refusal)
            elif meaning.route is None:
                result = replace(result, refusal=Refusal.no_route())
        except routes.RouteError as problem:
            result = replace(result, refusal=_refusal(problem), route=matched.route)
            error = problem.cause
        except Exception as problem:  # its text may name persons
            result = replace(result, refusal=Refusal.unavailable(), route=matched.route)
            error = f"the check raised {type(problem).__name__}"
        if result.refusal is not None:
            refusal = replace(result.refusal, request_id=trace.request_id)
            result = replace(result, refusal=refusal)
            self._log_refusal(result, refusal, error)
        return result

    def _log_refusal(self, result: Result, refusal: Refusal, error: str) -> None:
        """Log a refusal, and name nobody (PEP-11): the route in place of the path, and no reasons."""
        if self._told and refusal.code == "denied" and result.outcome:
            for obligation in result.outcome.obligations:
                _log.warning(
                    'an obligation of a denial was not done: request_id=%s obligation="%.200s"', refusal.request_id, obligation.id
                )
        route = result.route.path if result.route else ""
        _log.log(
            logging.WARNING if refusal.status == 503 else logging.INFO,
            'a request was refused: status=%d code=%s request_id=%s route="%s" error="%s"',
            *(refusal.status, refusal.code, refusal.request_id, route, error),
        )

    def _claims_failed(self, error: Exception) -> routes.RouteError:
        """Tell why there are no claims. Another exception than a verifier's is no answer."""
        if isinstance(error, TokenInvalid):
            return routes.Unauthenticated("The token is not valid: sign in again.", str(error))
        cause = str(error) if isinstance(error, KeysUnavailable) else f"the verifier raised {type(error).__name__}"
        return routes.Unavailable("It cannot be found out now who asks.", cause)


def _refusal(problem: routes.RouteError) -> Refusal:
    if problem.status == 400:
        return Refusal.bad_request(problem.message)
    if problem.status == 401:
        return Refusal.unauthenticated(problem.message)
    return Refusal.unavailable(problem.message)


def _body_failed(error: Exception) -> routes.RouteError:
    if isinstance(error, routes.BodyTooLong):
        return too_long()
    return routes.BadRequest("The body could not be read completely: send it again.", type(error).__name__)


def _no_body() -> routes.RouteError:
    return routes.Unavailable("The question needs the body of the request, which is not available here.")


class Checker(_Core):
    """Checks requests. It can be used by several threads at the same time.

    Args:
        table: the route file.
        decider: answers questions, such as a `Client`.
        handlers: what the application can do (see `Enforcer`). `None` means that the application behind is told of its
            obligations, and does those that the route file names as `supported_obligations`.
        verifier: verifies tokens, in place of one with the settings of the route file.
    """

    def __init__(
        self, table: Table, decider: Decider, handlers: Mapping[str, Handler] | None = None, verifier: Verifies | None = None
    ) -> None:
        super().__init__(table, verifier, handlers)
        self.enforcer = Enforcer(decider, self._handlers)
        """For questions that are not about a request, such as what a page offers."""

    def check(self, request: Request) -> Result:
        """Tell whether a request may pass. It does not raise."""
        trace = new_trace(lambda name: routes.values(request.headers, name))
        with using_trace(trace):
            step = self._check(request, trace)
            try:
                need = next(step)
                while True:
                    try:
                        value: Any = self._provide(need, request)
                    except routes.RouteError as error:
                        need = step.throw(error)
                    else:
                        need = step.send(value)
            except StopIteration as end:
                result: Result = end.value
                return result

    def _provide(self, need: Any, request: Request) -> Any:
        if isinstance(need, _Ask):
            return self.enforcer.enforce(need.question)
        if isinstance(need, routes.Verify):
            try:
                return self._verifier.verify(need.token) if self._verifier else {}
            except Exception as error:
                raise self._claims_failed(error) from None
        if request.read_body is None:
            raise _no_body()
        try:
            return request.read_body(need.limit)
        except Exception as error:
            raise _body_failed(error) from None


class AsyncChecker(_Core):
    """Checks requests, as `Checker` does."""

    def __init__(
        self, table: Table, decider: AsyncDecider, handlers: Mapping[str, Handler] | None = None, verifier: Verifies | None = None
    ) -> None:
        super().__init__(table, verifier, handlers)
        self.enforcer = AsyncEnforcer(decider, self._handlers)
        """For questions that are not about a request, such as what a page offers."""

    async def check(self, request: Request) -> Result:
        """Tell whether a request may pass. It raises nothing but what cancels it."""
        trace = new_trace(lambda name: routes.values(request.headers, name))
        with using_trace(trace):
            step = self._check(request, trace)
            try:
                need = next(step)
                while True:
                    try:
                        value: Any = await self._provide(need, request)
                    except routes.RouteError as error:
                        need = step.throw(error)
                    else:
                        need = step.send(value)
            except StopIteration as end:
                result: Result = end.value
                return result

    async def _provide(self, need: Any, request: Request) -> Any:
        if isinstance(need, _Ask):
            return await self.enforcer.enforce(need.question)
        if isinstance(need, routes.Verify):
            try:
                return await self._verify(need.token)
            except Exception as error:
                raise self._claims_failed(error) from None
        if request.read_body is None:
            raise _no_body()
        try:
            return await resolved(request.read_body(need.limit))
        except Exception as error:
            raise _body_failed(error) from None

    async def _verify(self, token: str) -> Any:
        """Verify a token. A verifier without `verify_now` may wait for keys, so it does so in a thread."""
        if self._verifier is None:
            return {}
        at_once: Callable[[str], Any] | None = getattr(self._verifier, "verify_now", None)
        if at_once is None:
            return await asyncio.to_thread(self._verifier.verify, token)
        for _ in range(round(_MAX_WAIT / _PAUSE)):  # not in threads: requests would use them all up
            if (claims := at_once(token)) is not None:
                return claims
            await asyncio.sleep(_PAUSE)
        raise KeysUnavailable


async def resolved(value: T | Awaitable[T]) -> T:
    """Await a value that may be one of a coroutine."""
    if inspect.isawaitable(value):
        return await value
    return value


_finishing: set[asyncio.Task[None]] = set()  # event loops have weak references alone


async def finish(outcomes: Sequence[Outcome], trace: Trace) -> None:
    """Do what follows an action that has succeeded, also if the request is cancelled meanwhile: its sender may have gone."""
    if outcomes:
        task = asyncio.ensure_future(_finish(outcomes, trace))
        _finishing.add(task)
        task.add_done_callback(_finishing.discard)
        await asyncio.shield(task)


async def _finish(outcomes: Sequence[Outcome], trace: Trace) -> None:
    for outcome in outcomes:
        log_undone(await outcome.adone(), trace)


def log_undone(failed: Sequence[str], trace: Trace) -> None:
    """Log the obligations that were not done after an action. The application has to repeat them."""
    for problem in failed:
        _log.error("an obligation was not done: request_id=%s error=%s", trace.request_id, problem)
