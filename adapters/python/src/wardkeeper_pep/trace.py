"""What identifies a request: passed on to the decision point with every question (PEP-7)."""

from __future__ import annotations

import contextvars
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

_ID = re.compile(r"[!-~]{1,128}", re.ASCII)
_MAX_STATE = 2 << 10  # bytes of a trace state; at least 512 have to be passed on


@dataclass(frozen=True)
class Trace:
    """Identifies the request of a person on whose behalf questions are asked."""

    request_id: str = ""
    traceparent: str = ""
    tracestate: str = ""


def new_trace(values: Callable[[str], Sequence[str]]) -> Trace:
    """Return the trace of a request. `values` returns the values of a header field by its name in lower case.

    If the request does not have exactly one id that can be logged and passed on, one is made. Several parents are none, and
    without a parent there is no state; the fields of the state are one list.
    """
    parent = state = ""
    parents = values("traceparent")
    if len(parents) == 1 and _ID.fullmatch(parents[0]) and "," not in parents[0]:
        parent = parents[0]
        states = [stripped for field in values("tracestate") if (stripped := field.strip(" \t,"))]
        state = ",".join(states)
        if len(state) > _MAX_STATE or any(c in state for c in "\r\n\0"):
            state = ""
    ids = values("x-request-id")
    request_id = ids[0] if len(ids) == 1 and _ID.fullmatch(ids[0]) else secrets.token_hex(16)
    return Trace(request_id, parent, state)


_NONE = Trace()
_current: contextvars.ContextVar[Trace] = contextvars.ContextVar("wardkeeper_pep_trace", default=_NONE)


def current_trace() -> Trace:
    """Return the trace of the request that is being handled. It is empty outside of one."""
    return _current.get()


@contextmanager
def using_trace(trace: Trace) -> Iterator[None]:
    """Pass `trace` on with the questions that are asked within."""
    token = _current.set(trace)
    try:
        yield
    finally:
        _current.reset(token)
