"""Protects Django applications: by a route file, or in code with a decorator of views.

`MIDDLEWARE` has `wardkeeper_pep.django.Middleware` before everything that reads the request. The setting `WARDKEEPER` is a
dictionary:

- `URL`: of the decision point (required). `TOKEN_FILE`, `CA_FILE` and `TIMEOUT` go with it.
- `ROUTES`: the path of the route file. Without one, views are protected in code.
- `HANDLERS`: what the application can do, by the kind of the obligation: a dictionary of `Handler`, or its dotted path.
- `PERSON`: the dotted path of a function that returns the id of the person of a request, for what is asked in code; by default the
  name of the user who has signed in.
- `CONTEXT`: the dotted path of a function that returns what every question that is asked in code has in its context.
- `FROM_PROXY`: the dotted path of a function that tells whether a request comes from an authenticated proxy.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string

from . import asgi, routes, wsgi
from .aio import AsyncClient
from .authzen import Action, Entity, Evaluation, Search
from .check import AsyncChecker, Checker, Result, finish, log_undone
from .client import Client
from .errors import NoAnswer
from .pep import AsyncEnforcer, Enforcer, Handler, Outcome
from .refusal import Refusal, Refused
from .routes import BodyTooLong, Request
from .trace import Trace, current_trace, new_trace, using_trace

_log = logging.getLogger("wardkeeper_pep")

M = TypeVar("M", bound=Model)
View = TypeVar("View", bound=Callable[..., Any])

MAX_LISTED = 10_000
"""Results of a search that `allowed` takes."""

_RESULT, _OUTCOMES, _TRACE, _CONFIRMED = "wardkeeper", "_wardkeeper_outcomes", "_wardkeeper_trace", "_wardkeeper_confirmed"


class Configured:
    """What the setting `WARDKEEPER` says."""

    def __init__(self, setting: Mapping[str, Any]) -> None:
        known = {"URL", "TOKEN_FILE", "CA_FILE", "TIMEOUT", "ROUTES", "HANDLERS", "PERSON", "CONTEXT", "FROM_PROXY"}
        unknown = set(setting) - known
        if unknown or "URL" not in setting:
            problem = f"it has {', '.join(sorted(unknown))}" if unknown else "it has no URL"
            raise ImproperlyConfigured(f"the setting WARDKEEPER is wrong: {problem}; its keys are {', '.join(sorted(known))}")
        options: dict[str, Any] = {"ca_file": setting.get("CA_FILE"), "timeout": setting.get("TIMEOUT", 1.0)}
        if path := setting.get("TOKEN_FILE"):
            options["token"] = lambda: _read(path)
        self.client = Client(setting["URL"], **options)
        self.async_client = AsyncClient(setting["URL"], **options)
        handlers = setting.get("HANDLERS", {})
        self.handlers: Mapping[str, Handler] = import_string(handlers) if isinstance(handlers, str) else handlers
        self.person: Callable[[Any], str | None] = _imported(setting.get("PERSON")) or _user
        self.context: Callable[[Any], Mapping[str, Any]] = _imported(setting.get("CONTEXT")) or (lambda _: {})
        self.from_proxy: Callable[[HttpRequest], bool] = _imported(setting.get("FROM_PROXY")) or (lambda _: False)
        self.enforcer = Enforcer(self.client, self.handlers)
        self.async_enforcer = AsyncEnforcer(self.async_client, self.handlers)
        self.checker: Checker | None = None
        self.async_checker: AsyncChecker | None = None
        if "ROUTES" in setting:
            table = routes.load(setting["ROUTES"])
            self.checker = Checker(table, self.client, self.handlers)
            self.async_checker = AsyncChecker(table, self.async_client, self.handlers)


@functools.lru_cache(maxsize=1)
def configured() -> Configured:
    """Return what the setting `WARDKEEPER` says. It is read once."""
    return Configured(getattr(settings, "WARDKEEPER", {}))


def _forget(*, setting: str, **_: Any) -> None:
    if setting == "WARDKEEPER":
        configured.cache_clear()


setting_changed.connect(_forget)


def _imported(path: str | None) -> Any:
    return import_string(path) if path else None


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read().strip()


def _user(request: Any) -> str | None:
    user = getattr(request, "user", None)
    return str(user.get_username()) if user is not None and user.is_authenticated else None


class Middleware:
    """Answers requests that may not pass, or may not be done, and does what obliges.

    `after` handlers run once a view has answered with a status below 400.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response
        self._configured = configured()
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        """Answer a request."""
        if self._is_async:
            return self._answer_async(request)
        trace = _begin(request)
        if self._configured.checker is not None:
            result = self._configured.checker.check(_request_of(request, self._configured.from_proxy))
            trace = result.trace
            if result.refusal is not None:
                return _response(result.refusal, request)
            _passed(request, result)
        with using_trace(trace):
            response = self._get_response(request)
            for outcome in _due(request, response):
                log_undone(outcome.done(), trace)
        return response

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        trace = _begin(request)
        if self._configured.async_checker is not None:
            result = await self._configured.async_checker.check(_request_of(request, self._configured.from_proxy))
            trace = result.trace
            if result.refusal is not None:
                return _response(result.refusal, request)
            _passed(request, result)
        with using_trace(trace):
            response: HttpResponseBase = await self._get_response(request)
            await finish(_due(request, response), trace)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer with the refusal that a view has raised."""
        if isinstance(exception, Refused):
            return _response(exception.refusal, request)
        return None


def _begin(request: HttpRequest) -> Trace:
    scope = getattr(request, "scope", None)  # Django joins fields of the same name
    headers = wsgi._headers(cast(Any, request).environ) if scope is None else asgi._headers(scope)
    trace = new_trace(lambda name: routes.values(headers, name))
    setattr(request, _OUTCOMES, [])
    setattr(request, _TRACE, trace)
    return trace


def _passed(request: HttpRequest, result: Result) -> None:
    setattr(request, _RESULT, result)
    setattr(request, _TRACE, result.trace)
    if result.outcome is not None:
        getattr(request, _OUTCOMES).append(result.outcome)


def _due(request: HttpRequest, response: HttpResponseBase) -> list[Outcome]:
    return getattr(request, _OUTCOMES) if response.status_code < 400 else []


def _response(refusal: Refusal, request: HttpRequest) -> HttpResponse:
    refusal = refusal.within(getattr(request, _TRACE))
    kind, body = refusal.body(request.headers.get("accept", ""))
    response = HttpResponse(body, status=refusal.status, content_type=kind, headers=dict(refusal.fields()))
    response._has_been_logged = True  # type: ignore[attr-defined] # Django would log the path, which may name persons
    return response


def _request_of(request: HttpRequest, from_proxy: Callable[[HttpRequest], bool]) -> Request:
    scope = getattr(request, "scope", None)
    made = wsgi.request_of(cast(Any, request).environ) if scope is None else asgi.request_of(scope, None)
    return Request(**{**vars(made), "read_body": lambda limit: _body(request, limit), "from_proxy": lambda: from_proxy(request)})


def _body(request: HttpRequest, limit: int) -> bytes:
    """Read the body. Django keeps it for the view."""
    length = request.META.get("CONTENT_LENGTH") or ""
    if length.isascii() and length.isdigit() and int(length) > limit:
        raise BodyTooLong
    if not length and request.META.get("HTTP_TRANSFER_ENCODING"):
        raise routes.BodyIncomplete  # Django has it, however large, or has none of it: that depends on the server
    body = request.body
    if length and len(body) != int(length):
        raise routes.BodyIncomplete
    return body


def result_of(request: Any) -> Result:
    """Return the result of checking a request by the route file."""
    result: Result = getattr(getattr(request, "_request", request), _RESULT)
    return result


# What is asked in code.

Confirmed = str | Callable[[Any], bool]
"""The name of a header, or a function of the request."""


def question_of(
    request: Any, action: str, resource: str | Entity, *, location: str | None = None, type: str = "user"
) -> Evaluation:
    """Return a question of the person of a request.

    Raises:
        Refused: with 401, if nobody has signed in.
    """
    if isinstance(resource, str):
        resource = Entity(type, resource)
    if location is not None:
        resource = Entity(resource.type, resource.id, {**(resource.properties or {}), "location": location})
    result: Result | None = getattr(getattr(request, "_request", request), _RESULT, None)
    if result is not None and result.subject:
        about = result.about(resource)
        return Evaluation(about.subject, Action(action), resource, about.context)
    person = configured().person(request)
    if not person:
        raise Refused(Refusal.unauthenticated())
    return Evaluation(Entity("user", person), Action(action), resource, dict(configured().context(request)))


def _asked(
    request: Any, action: str, resource: Any, location: Any, type: str, confirmed: Confirmed, parameters: Mapping[str, Any]
) -> Evaluation:
    place = None if location is None else _drawn(location, request, parameters)
    asked = question_of(request, action, _drawn(resource, request, parameters), location=place, type=type)
    if confirmed(request) if callable(confirmed) else _is_confirmed(request, confirmed, asked):
        asked = Evaluation(asked.subject, asked.action, asked.resource, {**asked.context, "confirmed": True})
    return asked


def _is_confirmed(request: Any, header: str, asked: Evaluation) -> bool:
    """Tell whether the person has confirmed this question. A header stands for one question: its warnings are what was shown."""
    if request.headers.get(header) != "true":
        return False
    plain = getattr(request, "_request", request)
    known: dict[str, str] = vars(plain).setdefault(_CONFIRMED, {})
    result: Result | None = getattr(plain, _RESULT, None)
    if not known and result is not None and (drawn := result.confirmed_by):
        known[drawn.lower()] = "the question of the route file"
    key = repr(asked)
    return known.setdefault(header.lower(), key) == key


def _drawn(value: Any, request: Any, parameters: Mapping[str, Any]) -> str:
    if callable(value):
        value = value(request, **parameters)
    elif value.startswith("{") and value.endswith("}"):
        value = str(parameters[value[1:-1]])
    if not value:
        raise Refused(Refusal.bad_request("The request does not say whom or what it is about."))
    return cast(str, value)


def _enforced(request: Any, outcome: Outcome) -> Outcome:
    if not outcome.permitted:
        _log.info(
            "a view was refused: verdict=%s request_id=%s error=%s",
            outcome.verdict.value,
            _trace(request).request_id,
            outcome.error,
        )
        raise Refused(outcome.refusal)
    due = getattr(getattr(request, "_request", request), _OUTCOMES, None)
    if due is None:
        raise ImproperlyConfigured("MIDDLEWARE has no wardkeeper_pep.django.Middleware, which does what obliges")
    due.append(outcome)
    return outcome


def enforce(request: Any, asked: Evaluation) -> Outcome:
    """Ask a question about what a request does. The middleware does the obligations that follow.

    Raises:
        Refused: unless it is permitted. The middleware answers with it.
    """
    with _tracing(request):
        return _enforced(request, configured().enforcer.enforce(asked))


async def aenforce(request: Any, asked: Evaluation) -> Outcome:
    """Do the same as `enforce`, in an asynchronous view."""
    with _tracing(request):
        return _enforced(request, await configured().async_enforcer.enforce(asked))


def _trace(request: Any) -> Trace:
    trace: Trace = getattr(getattr(request, "_request", request), _TRACE, current_trace())
    return trace


def _tracing(request: Any) -> Any:
    return using_trace(_trace(request))


def may(
    action: str, resource: Any, *, type: str = "user", location: Any = None, confirmed: Confirmed = "X-Confirmed"
) -> Callable[[View], View]:
    """Return a decorator that lets a view run only if the person may do `action` to `resource`.

    `resource` and `location` are parameters of the path in braces, as in `"{id}"`, other texts as they are, or functions that
    return a value. `confirmed` tells whether the person has been shown what is to be confirmed: a function of the request, or the
    name of a header whose value is then `true`. A header confirms one question: where a request asks several, by decorators or by
    the route file too, each has a header of its own.
    """

    def decorate(view: View) -> View:
        if iscoroutinefunction(view):  # also one that is marked, such as a class-based view's

            @functools.wraps(view)
            async def answer_async(request: Any, *args: Any, **parameters: Any) -> Any:
                asked = await sync_to_async(_asked)(request, action, resource, location, type, confirmed, parameters)
                await aenforce(request, asked)
                return await view(request, *args, **parameters)

            return cast(View, answer_async)

        @functools.wraps(view)
        def answer(request: Any, *args: Any, **parameters: Any) -> Any:
            enforce(request, _asked(request, action, resource, location, type, confirmed, parameters))
            return view(request, *args, **parameters)

        return cast(View, answer)

    return decorate


def can(request: Any, actions: Sequence[str], resource: str | Entity) -> dict[str, bool]:
    """Tell which actions a page offers to the person of a request. It is one request."""
    with _tracing(request):
        return configured().enforcer.can(actions, question_of(request, "", resource))


async def acan(request: Any, actions: Sequence[str], resource: str | Entity) -> dict[str, bool]:
    """Do the same as `can`, in an asynchronous view."""
    with _tracing(request):
        return await configured().async_enforcer.can(actions, await sync_to_async(question_of)(request, "", resource))


def search_of(request: Any, action: str, type: str = "user") -> Search:
    """Return a search for the resources to which the person of a request may do an action."""
    asked = question_of(request, action, Entity(type))
    return Search(asked.subject, asked.action, Entity(type), asked.context or None)


def allowed(request: Any, rows: QuerySet[M], action: str, *, type: str = "user", field: str = "pk") -> QuerySet[M]:
    """Narrow rows to those to which the person may do an action. `field` has the ids. Django's `Paginator` takes the result.

    Raises:
        Refused: with 503, if the list cannot be had completely.
    """
    with _tracing(request):
        try:
            found = [
                hit.id for hit in islice(configured().client.search_resources(search_of(request, action, type)), MAX_LISTED + 1)
            ]
            if len(found) > MAX_LISTED:
                raise NoAnswer(f"more than {MAX_LISTED} results: page through them with the client")
        except NoAnswer as error:
            _log.warning("a list could not be had: %s", error)
            raise Refused(Refusal.unavailable()) from None
    return rows.filter(**{f"{field}__in": found})
