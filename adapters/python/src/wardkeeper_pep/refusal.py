"""What a person gets instead of an action: problem details (RFC 9457), or a page for a browser (PEP-9)."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from . import _json
from .errors import NotPermitted
from .trace import Trace


@dataclass(frozen=True)
class Obligation:
    """A task that the application has to do together with an action."""

    id: str
    type: str
    properties: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The key of its handler: the type; of a custom obligation also the action, as in `custom/confirm`."""
        if self.type != "custom":
            return self.type
        action = self.properties.get("action")
        return "custom/" + (action if isinstance(action, str) else "")

    def message(self) -> dict[str, Any]:
        """Return the obligation as JSON has it."""
        return {"id": self.id, "type": self.type, "properties": dict(self.properties)}


@dataclass(frozen=True)
class Reason:
    """A reason of a denial, or a piece of advice. `message` is a sentence for the person."""

    code: str = ""
    message: str = ""
    rule: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)
    """The other members, such as `field` or `locations`."""

    def fields(self) -> dict[str, Any]:
        """Return the reason as JSON has it."""
        return dict(self.more) | {
            name: value for name, value in (("code", self.code), ("message", self.message), ("rule", self.rule)) if value
        }


_TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 503: "Service Unavailable"}

_STYLE = "font:1.1rem/1.5 sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem"


@dataclass(frozen=True)
class Refusal:
    """The response that a person gets instead of an action."""

    status: int
    """400, 401, 403 or 503."""
    code: str
    """`bad_request`, `unauthenticated`, `denied`, `confirmation_required` or `unavailable`."""
    detail: str
    """One sentence for the person."""
    reasons: Sequence[Reason] = ()
    advice: Sequence[Reason] = ()
    confirm: Sequence[Obligation] = ()
    """What to confirm before asking again."""
    request_id: str = ""

    @classmethod
    def bad_request(cls, detail: str) -> Refusal:
        """Refuse a request that has no single meaning."""
        return cls(400, "bad_request", detail)

    @classmethod
    def unauthenticated(cls, detail: str = "Sign in first.") -> Refusal:
        """Refuse a request of somebody who has not signed in."""
        return cls(401, "unauthenticated", detail)

    @classmethod
    def no_route(cls) -> Refusal:
        """Refuse a request that matches no route (PEP-14)."""
        return cls(403, "denied", "Nobody may do this.", [Reason("no_route", "No route allows this request.")])

    @classmethod
    def unavailable(cls, detail: str = "Whether you may do this could not be found out. Try again.") -> Refusal:
        """Refuse a request about which there is no answer."""
        return cls(503, "unavailable", detail)

    def within(self, trace: Trace | None) -> Refusal:
        """Return the refusal with the id of the request, unless it has one."""
        return replace(self, request_id=trace.request_id) if trace is not None and not self.request_id else self

    @property
    def title(self) -> str:
        """The phrase of the status."""
        return _TITLES[self.status]

    def fields(self) -> list[tuple[str, str]]:
        """Return the header fields, without those that describe the body."""
        fields = [("Cache-Control", "no-store"), ("Vary", "Accept"), ("X-Content-Type-Options", "nosniff")]
        if self.status == 401:
            fields.append(("WWW-Authenticate", "Bearer"))
        elif self.status == 503:
            fields.append(("Retry-After", "1"))
        if self.request_id:
            fields.append(("X-Request-ID", self.request_id))
        return fields

    def body(self, accept: str) -> tuple[str, bytes]:
        """Return the content type and the body: a page if the Accept field names `text/html`, else problem details."""
        if wants_page(accept):
            return "text/html; charset=utf-8", self._page().encode("utf-8")
        return "application/problem+json", _json.dump(self.problem())

    def problem(self) -> dict[str, Any]:
        """Return the problem details."""
        problem: dict[str, Any] = {"title": self.title, "status": self.status, "code": self.code, "detail": self.detail}
        if self.reasons:
            problem["reasons"] = [reason.fields() for reason in self.reasons]
        if self.advice:
            problem["advice"] = [advice.fields() for advice in self.advice]
        if self.confirm:
            problem["confirm"] = [obligation.message() for obligation in self.confirm]
        if self.request_id:
            problem["request_id"] = self.request_id
        return problem

    def _page(self) -> str:
        sentences = [r.message for r in (*self.reasons, *self.advice) if r.message not in ("", self.detail)]
        sentences += [cause.replace("_", " ") for o in self.confirm if isinstance(cause := o.properties.get("cause"), str)]
        items = "".join(f"<li>{_escaped(sentence)}</li>" for sentence in sentences)
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f'<title>{self.title}</title></head><body style="{_STYLE}"><h1>{self.title}</h1><p>{_escaped(self.detail)}</p>'
            + (f"<ul>{items}</ul>" if items else "")
            + (f"<p><small>Request {_escaped(self.request_id)}</small></p>" if self.request_id else "")
            + "</body></html>"
        )


class Refused(NotPermitted):
    """Raised where the application itself asks, to end a request with a refusal. The middleware answers with it."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


def wants_page(accept: str) -> bool:
    """Tell whether an Accept field names `text/html`."""
    for part in accept.split(","):
        kind, *parameters = (text.strip() for text in part.split(";"))
        if kind.lower() != "text/html":
            continue
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "q":
                try:
                    return float(value) > 0
                except ValueError:
                    return True
        return True
    return False


def _escaped(text: str) -> str:
    return html.escape(" ".join(text.split()))
