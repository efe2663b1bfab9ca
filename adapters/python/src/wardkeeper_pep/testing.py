"""A decision point for tests of one's own code: it answers what the test says, and records what it is asked.

with FakePdp() as pdp:
    pdp.permit("user.view")
    client = Client(pdp.url)
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

Answer = Mapping[str, Any]

_ENDPOINTS = {
    "/access/v1/search/subject": "subject",
    "/access/v1/search/resource": "resource",
    "/access/v1/search/action": "action",
}

_CLAIM = "/v1/guards/claim"


@dataclass(frozen=True)
class Asked:
    """A question that the decision point was asked."""

    subject: str
    action: str
    resource: str
    context: Mapping[str, Any] = field(default_factory=dict)
    message: Mapping[str, Any] = field(default_factory=dict)
    """The whole question."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """The header fields of the request, by their names in lower case."""


class FakePdp:
    """A decision point that speaks AuthZEN at `url`. It denies what no call permits; the last call for an action counts.

    A guard of a question can be claimed once, as long as the question is permitted: then the code is `taken`, else `denied`.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        """The questions, in the order of their arrival."""
        self.claimed: list[Asked] = []
        """The questions whose guard was claimed with success, in the order of their arrival."""
        self.lists: dict[str, list[Mapping[str, Any]]] = {"subject": [], "resource": [], "action": []}
        """What searches for a subject, a resource or an action find."""
        self._rules: dict[str, Callable[[Asked], Answer]] = {}
        self._guards: dict[str, tuple[Answer, bool]] = {}  # by their tokens: the question, and whether it was claimed
        self._down = False
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.fake = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        """The URL for `Client` and `AsyncClient`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def permit(self, action: str, *, obligations: Sequence[Mapping[str, Any]] = ()) -> None:
        """Permit an action, with obligations such as `{"id": "X/mail", "type": "notification", "properties": {...}}`."""
        context = {"context": {"obligations": list(obligations)}} if obligations else {}
        self.answer(action, lambda _: {"decision": True, **context})

    def permit_once_confirmed(self, action: str, cause: str = "multiple_locations") -> None:
        """Permit an action once the person has confirmed it."""
        confirm = {"id": f"TEST/{cause}", "type": "custom", "properties": {"action": "confirm", "cause": cause}}

        def rule(asked: Asked) -> Answer:
            if asked.context.get("confirmed") is True:
                return {"decision": True}
            return {"decision": True, "context": {"obligations": [confirm]}}

        self.answer(action, rule)

    def deny(self, action: str, code: str = "not_permitted", message: str = "You may not do this.", *, advice: str = "") -> None:
        """Deny an action, with a reason and perhaps advice."""
        context: dict[str, Any] = {"reasons": [{"code": code, "message": message}]}
        if advice:
            context["advice"] = [{"code": "advice", "message": advice}]
        self.answer(action, lambda _: {"decision": False, "context": context})

    def answer(self, action: str, rule: Callable[[Asked], Answer]) -> None:
        """Answer questions about an action by a function."""
        with self._lock:
            self._rules[action] = rule

    def fail(self, down: bool = True) -> None:
        """Answer with status 503 from now on, as a decision point that is overloaded. `False` ends that."""
        with self._lock:
            self._down = down

    def start(self) -> FakePdp:
        """Start to answer."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> FakePdp:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _decide(self, message: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
        asked = _asked(message, headers)
        with self._lock:
            self.asked.append(asked)
        answer = self._decided(asked)
        return self._guarded(asked, answer) if "guard" in asked.context.get("include", ()) else answer

    def _decided(self, asked: Asked) -> Answer:
        with self._lock:
            rule = self._rules.get(asked.action)
        return rule(asked) if rule else {"decision": False}

    def _guarded(self, asked: Asked, answer: Answer) -> Answer:
        if not answer["decision"]:
            return answer
        token = str(uuid.uuid4())
        with self._lock:
            self._guards[token] = (_bound(asked), False)
        return _with_guard(answer, {"token": token, "expires": _in(300), "records": _records(asked)})

    def _claim(self, message: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[int, Answer]:
        asked = _asked({name: value for name, value in message.items() if name != "guard"}, headers)
        answer = self._decided(asked)
        with self._lock:
            question, claimed = self._guards.get(message.get("guard", ""), ({}, False))
            if question != _bound(asked):
                return 400, {"error": "There is no such guard of this question."}
            if answer["decision"] and not claimed:
                self._guards[message["guard"]] = (question, True)
                self.claimed.append(asked)
                given = _with_guard(answer, {"records": _records(asked)})
                return 200, {"claimed": True, "expires": _in(10), "evaluation": given}
        code = "taken" if answer["decision"] else "denied"
        refused = {"claimed": False, "code": code, "error": "It cannot be claimed."}
        return 409, {**refused, "evaluation": self._guarded(asked, answer)}

    def _answer(self, path: str, message: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[int, Answer]:
        if path == "/access/v1/evaluation":
            return 200, self._decide(message, headers)
        if path == "/access/v1/evaluations":
            return 200, {"evaluations": [self._decide(question, headers) for question in message["evaluations"]]}
        if path == _CLAIM:
            return self._claim(message, headers)
        if path in _ENDPOINTS:
            page = message.get("page", {})
            hits = self.lists[_ENDPOINTS[path]]
            start, limit = int(page.get("token") or 0), page.get("limit") or 100
            end = start + limit
            return 200, {"results": hits[start:end], "page": {"next_token": str(end) if end < len(hits) else ""}}
        return 404, {"error": "There is no such endpoint."}


def _asked(message: Mapping[str, Any], headers: Mapping[str, str]) -> Asked:
    return Asked(
        message["subject"]["id"],
        message["action"]["name"],
        message["resource"]["id"],
        message.get("context", {}),
        message,
        headers,
    )


def _bound(asked: Asked) -> Answer:
    """Return the part of a question that a guard is bound to."""
    context = {name: value for name, value in asked.context.items() if name not in ("include", "at_least")}
    return {**asked.message, "context": context}


def _with_guard(answer: Answer, guard: Answer) -> Answer:
    return {**answer, "context": {**answer.get("context", {}), "guard": guard}}


def _records(asked: Asked) -> list[Answer]:
    return [{"type": asked.message["resource"]["type"], "id": asked.resource, "version": 1, "exclusive": True}]


def _in(seconds: int) -> str:
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).isoformat()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one write for an answer

    def do_GET(self) -> None:
        fake: FakePdp = self.server.fake  # type: ignore[attr-defined]
        if self.path != "/.well-known/authzen-configuration":
            self._send(404, {"error": "There is no such endpoint."})
            return
        endpoints = {f"search_{kind}_endpoint": fake.url + path for path, kind in _ENDPOINTS.items()}
        self._send(
            200,
            {
                "policy_decision_point": fake.url,
                "access_evaluation_endpoint": fake.url + "/access/v1/evaluation",
                "access_evaluations_endpoint": fake.url + "/access/v1/evaluations",
                "guard_claim_endpoint": fake.url + _CLAIM,
                **endpoints,
            },
        )

    def do_POST(self) -> None:
        fake: FakePdp = self.server.fake  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if fake._down:
            self._send(503, {"error": "The decision point is overloaded."})
            return
        self._send(*fake._answer(self.path, json.loads(body), {name.lower(): value for name, value in self.headers.items()}))

    def _send(self, status: int, answer: Answer) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if "X-Request-ID" in self.headers:
            self.send_header("X-Request-ID", self.headers["X-Request-ID"])
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: questions name people."""
