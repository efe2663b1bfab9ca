"""What the blocking and the asynchronous client share: settings, messages and their answers, without I/O.

A task, such as `decide`, is a generator. It yields requests and is sent their answers; its result is what it
returns. Each client runs tasks in its own way.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import urlsplit

from . import _http, _json, authzen
from .authzen import Claim, Evaluation, Page, Response, Search
from .errors import NoAnswer
from .trace import current_trace

T = TypeVar("T")

MAX_PAGES = 10_000
"""Pages of a list. A decision point that lists a million results has pages of a hundred and more."""

IDLE = 60.0
"""Seconds after which a connection that was kept is no longer used."""


@dataclass(frozen=True)
class Request:
    """A request of a task."""

    method: str
    path: str
    body: bytes = b""
    once: bool = False
    """It changes something, so it is not sent again."""
    accepts: int = 200
    """A status that answers have, beside 200."""


Task = Generator[Request, _http.Answer, T]


@dataclass(frozen=True)
class Endpoints:
    """The paths of the endpoints of a decision point; empty where it does not offer one."""

    evaluation: str = "/access/v1/evaluation"
    evaluations: str = "/access/v1/evaluations"
    search_subject: str = "/access/v1/search/subject"
    search_resource: str = "/access/v1/search/resource"
    search_action: str = "/access/v1/search/action"
    guard_claim: str = "/v1/guards/claim"
    """Wardkeeper's own."""


@dataclass(frozen=True)
class Metadata:
    """A decision point in its own words. What it does not offer is empty."""

    policy_decision_point: str
    endpoints: Endpoints
    supported_obligations: Sequence[str] = ()


@dataclass
class Settings:
    """Checked settings of a client."""

    address: _http.Address
    token: str | Callable[[], str] | None
    tls: ssl.SSLContext | None
    timeout: float
    max_connections: int
    max_response: int
    batch_size: int
    endpoints: Endpoints = field(default_factory=Endpoints)

    @classmethod
    def of(
        cls,
        url: str,
        token: str | Callable[[], str] | None,
        ca_file: str | None,
        tls: ssl.SSLContext | None,
        timeout: float,
        max_connections: int,
        max_response: int,
        batch_size: int,
    ) -> Settings:
        """Check settings."""
        address = _http.parse_url(url)
        if not timeout > 0 or max_connections < 1 or max_response < 1 or batch_size < 1:
            raise ValueError("timeout, max_connections, max_response and batch_size have to be positive")
        if address.tls and tls is None:
            tls = ssl.create_default_context(cafile=ca_file)
        elif ca_file is not None and tls is not None:
            raise ValueError("give either ca_file or tls: the context has its own authorities")
        return cls(
            address,
            token,
            tls if address.tls else None,
            timeout,
            max_connections,
            max_response,
            min(batch_size, authzen.MAX_EVALUATIONS),
        )

    def text_of(self, request: Request) -> tuple[bytes, str]:
        """Return the text of a request, and its id."""
        trace = current_trace()
        fields = {"Accept": "application/json"}
        if request.method == "POST":
            fields["Content-Type"] = "application/json"
        for name, value in (
            ("X-Request-ID", trace.request_id),
            ("traceparent", trace.traceparent),
            ("tracestate", trace.tracestate),
        ):
            if value:
                fields[name] = value
        token = self.token() if callable(self.token) else self.token
        if token:
            fields["Authorization"] = "Bearer " + token
        return _http.request_text(self.address, request.method, request.path, fields, request.body), trace.request_id

    def post(self, endpoint: str, message: Any) -> Request:
        """Return the request that sends a message."""
        if not endpoint:
            raise NoAnswer("the decision point does not offer this by its metadata")
        try:
            body = _json.dump(message)
        except (TypeError, ValueError):
            raise NoAnswer("the question cannot be encoded as JSON") from None
        return Request("POST", self.address.path + endpoint, body)

    def decide(self, questions: Sequence[Evaluation]) -> Task[list[Response]]:
        """Ask one question as an evaluation, and several in as few batches as the batch size allows."""
        if len(questions) == 1:
            answer = yield self.post(self.endpoints.evaluation, questions[0].message())
            return [_decoded(authzen.decode_response, answer.body)]
        responses: list[Response] = []
        for start in range(0, len(questions), self.batch_size):
            chunk = questions[start : start + self.batch_size]
            message = {"options": {"evaluations_semantic": "execute_all"}, "evaluations": [q.message() for q in chunk]}
            answer = yield self.post(self.endpoints.evaluations, message)
            answers = _decoded(authzen.decode_responses, answer.body)
            if len(answers) != len(chunk):
                raise NoAnswer(f"the decision point answered {len(answers)} of {len(chunk)} questions")
            responses += answers
        return responses

    def claim(self, question: Evaluation, guard: str) -> Task[Claim]:
        """Claim a guard, once."""
        request = self.post(self.endpoints.guard_claim, {**question.message(), "guard": guard})
        answer = yield replace(request, once=True, accepts=authzen.CONFLICT)
        return _decoded(lambda body: authzen.decode_claim(answer.status, body), answer.body)

    def page(self, kind: str, search: Search) -> Task[Page]:
        """Request one page of a search for a subject, a resource or an action."""
        message: dict[str, Any] = {}
        if search.subject:
            message["subject"] = search.subject.message(with_id=kind != "subject")
        if search.action and kind != "action":
            message["action"] = search.action.message()
        if search.resource:
            message["resource"] = search.resource.message(with_id=kind != "resource")
        if search.context is not None:
            message["context"] = dict(search.context)
        page: dict[str, Any] = {}
        if search.limit is not None:
            page["limit"] = search.limit
        if search.token:
            page["token"] = search.token
        message["page"] = page
        endpoint: str = getattr(self.endpoints, "search_" + kind)
        answer = yield self.post(endpoint, message)
        return _decoded(authzen.decode_page, answer.body)

    def metadata(self) -> Task[Metadata]:
        """Request the metadata. The well-known path is between the host and the path of the URL."""
        answer = yield Request("GET", "/.well-known/authzen-configuration" + self.address.path)
        members = _decoded(authzen._object, answer.body)
        names = {
            "policy_decision_point": "",
            "access_evaluation_endpoint": "evaluation",
            "access_evaluations_endpoint": "evaluations",
            "search_subject_endpoint": "search_subject",
            "search_resource_endpoint": "search_resource",
            "search_action_endpoint": "search_action",
            "guard_claim_endpoint": "guard_claim",
        }
        texts = {target: members.get(name) or "" for name, target in names.items()}
        base = texts.pop("")
        if not all(isinstance(text, str) for text in (base, *texts.values())) or not base or not texts["evaluation"]:
            raise NoAnswer("the decision point sent malformed metadata")
        kinds = members.get("supported_obligations")
        return Metadata(base, Endpoints(**texts), [k for k in kinds if isinstance(k, str)] if isinstance(kinds, list) else [])

    def use(self, metadata: Metadata) -> None:
        """Use the endpoints of the metadata. All have to be at the origin that was asked, so that no other gets questions."""
        base = metadata.policy_decision_point.rstrip("/")
        if not self.address.socket and base != self.address.origin + self.address.path:
            raise NoAnswer("the metadata are those of another decision point: use the URL that they give as policy_decision_point")
        origin = urlsplit(base)
        paths = {}
        for name, endpoint in vars(metadata.endpoints).items():
            parts = urlsplit(endpoint)
            if endpoint and ((parts.scheme, parts.netloc) != (origin.scheme, origin.netloc) or parts.query or parts.fragment):
                raise NoAnswer("the metadata name an endpoint at another server")
            paths[name] = parts.path
        self.address = replace(self.address, path="")
        self.endpoints = Endpoints(**paths)


class Paging:
    """Bounds a list: it has not too many pages, and no token comes twice."""

    def __init__(self, search: Search) -> None:
        self.search = search
        self._followed = {_digest(search.token)}

    def next(self, page: Page) -> bool:
        """Prepare the search for the next page. It is false if the list is complete."""
        if not page.next_token:
            return False
        digest = _digest(page.next_token)
        if digest in self._followed:
            raise NoAnswer("the decision point continues the list where it has been")
        if len(self._followed) == MAX_PAGES:
            raise NoAnswer(f"the list has more than {MAX_PAGES} pages: ask for larger ones, or narrow the search")
        self._followed.add(digest)
        self.search = replace(self.search, token=page.next_token)
        return True


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _decoded(decode: Callable[[bytes], T], body: bytes) -> T:
    """Decode an answer. The decoder's error is not told: it may quote the answer."""
    try:
        return decode(body)
    except authzen.MalformedAnswer:
        raise NoAnswer("the decision point sent a malformed answer") from None
