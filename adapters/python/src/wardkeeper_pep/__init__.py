"""A policy enforcement point: ask Wardkeeper, or another AuthZEN decision point, and enforce the answer.

- `Client` and `AsyncClient` ask.
- `Enforcer` and `AsyncEnforcer` enforce: they do what obliges, and tell what a page offers (`can`).
- `Checker` and `AsyncChecker` judge HTTP requests by a route file (`routes`).
- `wsgi`, `asgi`, `django`, `rest_framework` and `fastapi` protect applications. `testing` has a decision point for tests.

The core needs the standard library alone. `wardkeeper-pep[jwt]` verifies tokens, and `wardkeeper-pep[yaml]` reads YAML.
"""

from ._messages import Endpoints, Metadata
from .aio import AsyncClient
from .authzen import Action, Claim, Entity, Evaluation, Hit, Page, Response, Search, question
from .check import AsyncChecker, Checker, Result
from .client import Client
from .errors import BadStatus, NoAnswer, TimedOut, Unreachable
from .pep import CONFIRM, WARN, AsyncDecider, AsyncEnforcer, Decider, Enforcer, Handler, Outcome, Verdict
from .refusal import Obligation, Reason, Refusal, Refused
from .trace import Trace, current_trace, new_trace, using_trace

__all__ = [
    "CONFIRM",
    "WARN",
    "Action",
    "AsyncChecker",
    "AsyncClient",
    "AsyncDecider",
    "AsyncEnforcer",
    "BadStatus",
    "Checker",
    "Claim",
    "Client",
    "Decider",
    "Endpoints",
    "Enforcer",
    "Entity",
    "Evaluation",
    "Handler",
    "Hit",
    "Metadata",
    "NoAnswer",
    "Obligation",
    "Outcome",
    "Page",
    "Reason",
    "Refusal",
    "Refused",
    "Response",
    "Result",
    "Search",
    "TimedOut",
    "Trace",
    "Unreachable",
    "Verdict",
    "current_trace",
    "new_trace",
    "question",
    "using_trace",
]

__version__ = "0.1.0"
