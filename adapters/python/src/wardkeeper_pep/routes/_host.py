"""Hosts, as requests are compared with them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from ._error import BadRequest

_MAX_HOST = 255 + len(":65535")

_HOST = re.compile(r"(?P<name>\[[^\[\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]{1,5}))?", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9\-_]+(?:\.[A-Za-z0-9\-_]+)*", re.ASCII)


def canonical_host(values: Sequence[str]) -> str:
    """Return the host of a request in lower case, without its port."""
    if len(values) != 1 or not values[0]:
        raise BadRequest("The request has no host, or more than one: send the Host header once.")
    match = _HOST.fullmatch(values[0])
    if not match or len(values[0]) > _MAX_HOST or not _is_host(match["name"]):
        raise BadRequest("The host is not a name or an address: send a name without a trailing dot, and at most a port after it.")
    return match["name"].lower()


def _is_host(host: str) -> bool:
    """Tell whether this is a name of letters, digits, hyphens and underscores with dots between, or an address."""
    if not host.startswith("["):
        return _NAME.fullmatch(host) is not None
    if "%" in host:
        return False
    try:
        ipaddress.IPv6Address(host[1:-1])
    except ValueError:
        return False
    return True
