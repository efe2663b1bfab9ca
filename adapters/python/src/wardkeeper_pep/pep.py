"""The core of an enforcement point: it asks, accepts only a well-formed allow, and does what obliges (PEP-3 to PEP-6)."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from .authzen import Action, Evaluation, Response
from .errors import NoAnswer
from .refusal import Obligation, Reason, Refusal

T = TypeVar("T")

CONFIRM = "custom/confirm"
"""The kind of the obligation to have the person confirm. If it has a handler, which needs no functions, an allow with it becomes
`Verdict.CONFIRMATION_REQUIRED`, and the application asks again with `"confirmed": True` in the context."""

WARN = "custom/warn"
"""The kind of the obligation to show a warning. Its handler says that the application shows `Outcome.warnings`."""

_UNSUPPORTED = Reason("obligation_unsupported", "The application cannot do what this would require of it.", "ALL-13")


class Decider(Protocol):
    """Answers questions. `Client` does so over HTTP."""

    def decide(self, questions: Sequence[Evaluation]) -> list[Response]:
        """Answer every question, in order, or raise. Messages of exceptions name nobody."""


class AsyncDecider(Protocol):
    """Answers questions. `AsyncClient` does so over HTTP."""

    async def decide(self, questions: Sequence[Evaluation]) -> list[Response]:
        """Answer every question, in order, or raise. Messages of exceptions name nobody."""


@dataclass(frozen=True)
class Handler:
    """Does obligations of one kind. No action follows a denial, so both functions are then called (PEP-4).

    For an `AsyncEnforcer`, `before` and `after` may be coroutine functions.
    """

    can: Callable[[Obligation], bool] | None = None
    """Whether this obligation can be done, for instance a notification by its channel; by default all can. If it raises, the
    obligation cannot."""
    before: Callable[[Obligation], object] | None = None
    """Called before the action. If it raises, the action is denied."""
    after: Callable[[Obligation], object] | None = None
    """Called once the action has succeeded. The application has to repeat an obligation whose `after` has failed."""


class Verdict(enum.Enum):
    """Whether an action may be done. Only `PERMITTED` permits."""

    DENIED = "denied"
    PERMITTED = "permitted"
    CONFIRMATION_REQUIRED = "confirmation_required"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class Outcome:
    """The result of a question."""

    verdict: Verdict
    reasons: Sequence[Reason] = ()
    """Of a denial."""
    advice: Sequence[Reason] = ()
    obligations: Sequence[Obligation] = ()
    """All obligations of the answer."""
    confirm: Sequence[Obligation] = ()
    """What the person has to confirm."""
    context: Mapping[str, Any] = field(default_factory=dict)
    """The context of the answer, as the decision point sent it."""
    error: str = ""
    """For the log: why there is no answer, or what could not be done. It names nobody."""
    _todo: Sequence[tuple[Obligation, Handler]] = ()

    @property
    def permitted(self) -> bool:
        """Whether the action may be done. Call `done` once it has succeeded."""
        return self.verdict is Verdict.PERMITTED

    @property
    def offered(self) -> bool:
        """Whether a page offers the action: it may be done, at most after a confirmation."""
        return self.verdict in (Verdict.PERMITTED, Verdict.CONFIRMATION_REQUIRED)

    @property
    def warnings(self) -> list[str]:
        """The causes of the warnings that the application shows with the result."""
        return [str(o.properties.get("cause", "")) for o in self.obligations if o.kind == WARN and self.permitted]

    @property
    def refusal(self) -> Refusal:
        """The response that the person gets instead of the action.

        Raises:
            ValueError: if the action is permitted.
        """
        if self.verdict is Verdict.PERMITTED:
            raise ValueError("what is permitted is not refused")
        if self.verdict is Verdict.UNAVAILABLE:
            return Refusal.unavailable()
        if self.verdict is Verdict.CONFIRMATION_REQUIRED:
            detail = "This has to be confirmed first."
            return Refusal(403, "confirmation_required", detail, advice=self.advice, confirm=self.confirm)
        detail = self.reasons[0].message if self.reasons else ""
        return Refusal(403, "denied", detail or "You may not do this.", reasons=self.reasons, advice=self.advice)

    def done(self) -> list[str]:
        """Do the obligations that follow a permitted action, all of them. It returns what has failed, for the log."""
        return _drive(_run(self._due(), "after"))

    async def adone(self) -> list[str]:
        """Do the same as `done`, with handlers that may be coroutine functions."""
        return await _adrive(_run(self._due(), "after"))

    def _due(self) -> Sequence[tuple[Obligation, Handler]]:
        return self._todo if self.permitted else ()


class _Core:
    """What the blocking and the asynchronous enforcer share."""

    def __init__(self, handlers: Mapping[str, Handler] | None) -> None:
        self._handlers = dict(handlers or {})
        self._supported: list[str] = []
        for kind in sorted(self._handlers):
            type_, slash, action = kind.partition("/")
            if not type_ or (slash == "/") != (type_ == "custom") or (slash and not action):
                raise ValueError(f'no obligation is of the kind "{kind}": use the type, or "custom/ACTION"')
            if type_ not in self._supported:
                self._supported.append(type_)

    @property
    def supported_obligations(self) -> list[str]:
        """The types of the registered handlers, which every question has (PEP-3)."""
        return list(self._supported)

    def _asked(self, questions: Iterable[Evaluation]) -> list[Evaluation]:
        return [replace(q, context={**q.context, "supported_obligations": self._supported}) for q in questions]

    def _outcomes(self, count: int, responses: Sequence[Response]) -> list[Outcome]:
        if len(responses) != count:
            raise NoAnswer(f"the decision point answered {len(responses)} of {count} questions")
        return [self._outcome(response) for response in responses]

    def _outcome(self, response: Response) -> Outcome:
        """Evaluate a response in view of the registered handlers."""
        try:
            obligations = _obligations(response)
        except NoAnswer as error:
            return Outcome(Verdict.UNAVAILABLE, error=str(error))
        todo, confirm, unhandled = [], [], []
        for obligation in obligations:
            handler = self._handlers.get(obligation.kind)
            if handler is None or not _can(handler, obligation):
                unhandled.append(f'the application cannot do the obligation "{obligation.id:.200}"')
            elif obligation.kind == CONFIRM:
                confirm.append(obligation)
            else:
                todo.append((obligation, handler))
        reasons = _reasons(response.context.get("reasons")) or _reasons(response.context.get("reason_user"))
        denied = Outcome(
            Verdict.DENIED, reasons, _reasons(response.context.get("advice")), obligations, context=response.context, _todo=todo
        )
        if response.decision is not True:
            return denied
        if unhandled:
            return replace(denied, reasons=[_UNSUPPORTED], advice=[], error="; ".join(unhandled))
        if confirm:
            return replace(denied, verdict=Verdict.CONFIRMATION_REQUIRED, reasons=[], confirm=confirm)
        return replace(denied, verdict=Verdict.PERMITTED, reasons=[])


class Enforcer(_Core):
    """Enforces decisions. It can be used by several threads at the same time.

    Args:
        decider: answers questions, such as a `Client`.
        handlers: what the application can do, by the type of the obligation; of `custom` also the action, as in
            `custom/confirm`. An allow with any other obligation is a denial.
    """

    def __init__(self, decider: Decider, handlers: Mapping[str, Handler] | None = None) -> None:
        super().__init__(handlers)
        self._decider = decider

    def enforce(self, question: Evaluation) -> Outcome:
        """Ask one question and do the obligations that are due before the action.

        The action may be done only if the outcome is `permitted`; call its `done` once it has succeeded.
        """
        return _drive(_before(self.ask([question])[0]))

    def ask(self, questions: Sequence[Evaluation]) -> list[Outcome]:
        """Ask questions in one batch, in order, and do no obligations: for what a page offers."""
        if not questions:
            return []
        try:
            return self._outcomes(len(questions), self._decider.decide(self._asked(questions)))
        except Exception as error:
            return [_unavailable(error)] * len(questions)

    def can(self, actions: Sequence[str], about: Evaluation) -> dict[str, bool]:
        """Tell which actions a page offers: those that `about`, with its action replaced, may do. It is one request."""
        return _offers(actions, self.ask(_alike(actions, about)))


class AsyncEnforcer(_Core):
    """Enforces decisions, as `Enforcer` does. Handlers may be coroutine functions."""

    def __init__(self, decider: AsyncDecider, handlers: Mapping[str, Handler] | None = None) -> None:
        super().__init__(handlers)
        self._decider = decider

    async def enforce(self, question: Evaluation) -> Outcome:
        """Ask one question and do the obligations that are due before the action."""
        return await _adrive(_before((await self.ask([question]))[0]))

    async def ask(self, questions: Sequence[Evaluation]) -> list[Outcome]:
        """Ask questions in one batch, in order, and do no obligations: for what a page offers."""
        if not questions:
            return []
        try:
            return self._outcomes(len(questions), await self._decider.decide(self._asked(questions)))
        except Exception as error:
            return [_unavailable(error)] * len(questions)

    async def can(self, actions: Sequence[str], about: Evaluation) -> dict[str, bool]:
        """Tell which actions a page offers: those that `about`, with its action replaced, may do. It is one request."""
        return _offers(actions, await self.ask(_alike(actions, about)))


def _unavailable(error: Exception) -> Outcome:
    # Of an unknown exception, the text may name persons.
    text = str(error) if isinstance(error, NoAnswer) else f"the decider raised {type(error).__name__}"
    return Outcome(Verdict.UNAVAILABLE, error=text)


def _alike(actions: Sequence[str], about: Evaluation) -> list[Evaluation]:
    return [replace(about, action=Action(action)) for action in actions]


def _offers(actions: Sequence[str], outcomes: Sequence[Outcome]) -> dict[str, bool]:
    return {action: outcome.offered for action, outcome in zip(actions, outcomes)}


def _can(handler: Handler, obligation: Obligation) -> bool:
    """Tell whether a handler can do an obligation. One that raises does not know what to do."""
    try:
        return handler.can is None or handler.can(obligation) is True
    except Exception:
        return False


# A step yields calls of handlers, and is sent the exception of each, or None.
_Step = Generator[Callable[[], object], "Exception | None", T]


def _run(todo: Sequence[tuple[Obligation, Handler]], phase: str) -> _Step[list[str]]:
    """Do all that is due, also after one has failed, and return what has failed."""
    failed = []
    for obligation, handler in todo:
        do: Callable[[Obligation], object] | None = getattr(handler, phase)
        if do is None:
            continue
        error = yield lambda do=do, obligation=obligation: do(obligation)  # type: ignore[misc]
        if error is not None:  # its text may name persons
            failed.append(f'the obligation "{obligation.id:.200}": its handler raised {type(error).__name__}')
    return failed


def _before(outcome: Outcome) -> _Step[Outcome]:
    """Do what is due before a permitted action, and all of a denial. Without an answer nothing has been decided."""
    if outcome.verdict is Verdict.PERMITTED:
        failed = yield from _run(outcome._todo, "before")
        if failed:
            return replace(outcome, verdict=Verdict.DENIED, reasons=[_UNSUPPORTED], error="; ".join(failed))
    elif outcome.verdict is Verdict.DENIED:
        failed = (yield from _run(outcome._todo, "before")) + (yield from _run(outcome._todo, "after"))
        if failed:
            return replace(outcome, error="; ".join([*filter(None, [outcome.error]), *failed]))
    return outcome


def _drive(step: _Step[T]) -> T:
    error: Exception | None = None
    try:
        call = next(step)
        while True:
            try:
                error = None
                result = call()
                if inspect.isawaitable(result):
                    if inspect.iscoroutine(result):
                        result.close()
                    raise TypeError("the handler is a coroutine function: use AsyncEnforcer")
            except Exception as problem:
                error = problem
            call = step.send(error)
    except StopIteration as end:
        value: T = end.value
        return value


async def _adrive(step: _Step[T]) -> T:
    error: Exception | None = None
    try:
        call = next(step)
        while True:
            try:
                error = None
                result = call()
                if inspect.isawaitable(result):
                    await _awaited(result)
            except Exception as problem:
                error = problem
            call = step.send(error)
    except StopIteration as end:
        value: T = end.value
        return value


async def _awaited(result: Awaitable[object]) -> object:
    return await result


def _obligations(response: Response) -> list[Obligation]:
    """Read the obligations. A decision point that could not decide, or that sends malformed ones, has not answered."""
    problem = response.context.get("error")
    if problem is not None:
        status = problem.get("status") if isinstance(problem, dict) else None
        # The message is not told: it may repeat the question.
        raise NoAnswer("the decision point could not decide" + (f": status {status}" if isinstance(status, int) else ""))
    entries = response.context.get("obligations")
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise NoAnswer("the decision point sent obligations that are not a list")
    obligations = []
    for index, entry in enumerate(entries):
        members = entry if isinstance(entry, dict) else {}
        id_, type_, properties = members.get("id"), members.get("type"), members.get("properties")
        if properties is None:
            properties = {}
        if not isinstance(id_, str) or not id_ or not isinstance(type_, str) or not type_ or not isinstance(properties, dict):
            raise NoAnswer(f"the decision point sent a malformed obligation at index {index}")
        obligations.append(Obligation(id_, type_, properties))
    return obligations


def _reasons(value: Any) -> list[Reason]:
    """Read reasons that are objects or texts, or AuthZEN's `reason_user`: a text by a status or a language.

    What is not understood is left out: a denial needs no reason.
    """
    if isinstance(value, dict):
        return [Reason(message=value[key]) for key in sorted(value) if isinstance(value[key], str)][:1]
    reasons = []
    for element in value if isinstance(value, list) else []:
        if isinstance(element, str):
            reasons.append(Reason(message=element))
        elif isinstance(element, dict):
            code, message, rule = (
                text if isinstance(text := element.get(name), str) else "" for name in ("code", "message", "rule")
            )
            if code or message or rule:
                more = {name: value for name, value in element.items() if name not in ("code", "message", "rule")}
                reasons.append(Reason(code, message, rule, more))
    return reasons
