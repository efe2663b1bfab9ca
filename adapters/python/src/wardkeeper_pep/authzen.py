"""The messages of the AuthZEN Authorization API 1.0, and their strict decoding."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from . import _json

MAX_EVALUATIONS = 1000
"""Items of a batch that a decision point accepts in one request."""

CONFLICT = 409
"""The status of a claim that fails."""

_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?(Z|[+-][0-9]{2}:[0-9]{2})")


@dataclass(frozen=True)
class Entity:
    """A subject or a resource."""

    type: str
    id: str = ""
    properties: Mapping[str, Any] | None = None

    def message(self, with_id: bool = True) -> dict[str, Any]:
        """Return the entity as it is sent."""
        message: dict[str, Any] = {"type": self.type}
        if with_id:
            message["id"] = self.id
        if self.properties is not None:
            message["properties"] = dict(self.properties)
        return message


@dataclass(frozen=True)
class Action:
    """What the subject asks to do."""

    name: str
    properties: Mapping[str, Any] | None = None

    def message(self) -> dict[str, Any]:
        """Return the action as it is sent."""
        message: dict[str, Any] = {"name": self.name}
        if self.properties is not None:
            message["properties"] = dict(self.properties)
        return message


@dataclass(frozen=True)
class Evaluation:
    """One question: may the subject do the action to the resource, in the context."""

    subject: Entity
    action: Action
    resource: Entity
    context: Mapping[str, Any] = field(default_factory=dict)

    def message(self) -> dict[str, Any]:
        """Return the question as it is sent."""
        message: dict[str, Any] = {
            "subject": self.subject.message(),
            "action": self.action.message(),
            "resource": self.resource.message(),
        }
        if self.context:
            message["context"] = dict(self.context)
        return message


def question(
    subject: str | Entity,
    action: str | Action,
    resource: str | Entity,
    *,
    location: str | None = None,
    context: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Return a question about a user. Texts are ids of users and the name of the action.

    `location` is the place that the question is about: the resource's property of that name.
    """
    if isinstance(subject, str):
        subject = Entity("user", subject)
    if isinstance(action, str):
        action = Action(action)
    if isinstance(resource, str):
        resource = Entity("user", resource)
    if location is not None:
        resource = Entity(resource.type, resource.id, {**(resource.properties or {}), "location": location})
    return Evaluation(subject, action, resource, dict(context or {}))


@dataclass(frozen=True)
class Response:
    """The answer to one evaluation. `context` is kept as it was sent, guards included."""

    decision: bool
    context: Mapping[str, Any] = field(default_factory=dict)

    @property
    def guard(self) -> str:
        """The token of its guard; empty unless the question asked for one (`include`) and the answer allows a change."""
        guard = self.context.get("guard")
        token = guard.get("token") if isinstance(guard, Mapping) else ""
        return token if isinstance(token, str) else ""


@dataclass(frozen=True)
class Claim:
    """The outcome of claiming a guard.

    Only if it is `claimed` may the change be made, with every obligation of `response`, and before `expires`.
    """

    claimed: bool
    response: Response
    """The question answered again. If the claim failed, an allow has a new guard."""
    expires: datetime | None = None
    code: str = ""
    """Why the claim failed: `changed`, `taken`, `expired` or `denied`."""


@dataclass(frozen=True)
class Search:
    """A search. The part that is searched for is empty: `subject.id`, `resource.id` or `action`."""

    subject: Entity | None = None
    action: Action | None = None
    resource: Entity | None = None
    context: Mapping[str, Any] | None = None
    limit: int | None = None
    """How many results a page has at most. `None` leaves it to the decision point."""
    token: str = ""
    """Continues a list: the `next_token` of the page before."""


@dataclass(frozen=True)
class Hit:
    """A result of a search: an entity, or the name of an action."""

    type: str = ""
    id: str = ""
    name: str = ""
    properties: Mapping[str, Any] | None = None
    obligations: Sequence[Any] = ()


@dataclass(frozen=True)
class Page:
    """A page of a list. `next_token` continues it; it is empty if the list is complete."""

    hits: Sequence[Hit]
    next_token: str = ""


class MalformedAnswer(ValueError):
    """An answer that is none. The message has no part of it."""


def decode_response(body: bytes) -> Response:
    """Decode the answer to one evaluation."""
    return _response(_object(body))


def decode_responses(body: bytes) -> list[Response]:
    """Decode the answer to several evaluations."""
    answers = _object(body).get("evaluations")
    if not isinstance(answers, list):
        raise MalformedAnswer("the member evaluations is missing or not an array")
    return [_response(answer) for answer in answers]


def decode_claim(status: int, body: bytes) -> Claim:
    """Decode the answer to a claim. Status, claimed and decision have to agree."""
    members = _object(body)
    claimed, code, response = members.get("claimed"), members.get("code"), _response(members.get("evaluation"))
    if status == 200 and claimed is True and response.decision:
        return Claim(True, response, expires=_time(members.get("expires")))
    if status == CONFLICT and claimed is False and isinstance(code, str) and code:
        return Claim(False, response, code=code)
    raise MalformedAnswer("the claim is neither in force nor refused")


def _time(text: Any) -> datetime:
    """Parse a time of RFC 3339. Python 3.10 reads neither `Z` nor any number of digits."""
    match = _TIME.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise MalformedAnswer("the time is missing or malformed")
    try:
        return datetime.fromisoformat(f"{match[1]}.{(match[2] or '')[:6]:0<6}{match[3].replace('Z', '+00:00')}")
    except ValueError:
        raise MalformedAnswer("the time is malformed") from None


def decode_page(body: bytes) -> Page:
    """Decode the answer to a search."""
    members = _object(body)
    page = members.get("page")
    if page is None:
        page = {}
    token = page.get("next_token") if isinstance(page, dict) else 0
    if token is not None and not isinstance(token, str):
        raise MalformedAnswer("the page is malformed")
    results = members.get("results")
    if not isinstance(results, list):
        raise MalformedAnswer("the member results is missing or not an array")
    return Page([_hit(result) for result in results], token or "")


def _object(body: bytes) -> dict[str, Any]:
    try:
        return _json.parse_object(body)
    except _json.MalformedJSON:
        raise MalformedAnswer("the body is not one JSON object") from None


def _response(answer: Any) -> Response:
    if not isinstance(answer, dict) or not isinstance(answer.get("decision"), bool):
        raise MalformedAnswer("the decision is missing or neither true nor false")
    context = answer.get("context")
    if context is None:
        context = {}
    if not isinstance(context, dict):
        raise MalformedAnswer("the context is not an object")
    return Response(answer["decision"], context)


def _hit(result: Any) -> Hit:
    if not isinstance(result, dict):
        raise MalformedAnswer("a result is not an object")
    texts = [text if isinstance(text, str) else "" for text in (result.get("type"), result.get("id"), result.get("name"))]
    properties, obligations = result.get("properties"), result.get("obligations")
    is_entity = texts[0] != "" and texts[1] != ""
    if (
        not (is_entity or texts[2])
        or not (properties is None or isinstance(properties, dict))
        or not (obligations is None or isinstance(obligations, list))
    ):
        raise MalformedAnswer("a result is neither an entity nor an action")
    return Hit(texts[0], texts[1], texts[2], properties, obligations or ())
