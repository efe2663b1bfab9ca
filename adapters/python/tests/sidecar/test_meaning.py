"""Requests mean to this adapter what they mean to the Go adapters."""

import json
import pathlib
import subprocess
import sys

from conftest import BIN

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from test_routes import FILE, REFUSED_HEADERS, TARGETS, resolve

from wardkeeper_pep.routes import BadRequest

METHODS = ("get", "HEAD", "OPTIONS", "TRACE", "CONNECT", "DELETE", "M-SEARCH", "G@T", "X" * 33)
CASES = [
    *(("GET", target, ()) for target in TARGETS if target.startswith("/")),
    *(("GET", "/open/x", (header,)) for header in REFUSED_HEADERS),
    *((method, "/users/jane", ()) for method in METHODS),
    *(("GET", "/users/jane", (("X-Confirmed", value),)) for value in ("true", "false", "1", "true,true", "TRUE")),
]


def explain(file, method, target, headers):
    """Ask the Go program what a request means."""
    arguments = [BIN / "wardkeeper", "routes", "explain", file, method, target, "--claims", '{"sub":"alice"}']
    for name, value in headers:
        arguments += ["--header", f"{name}: {value}"]
    said = subprocess.run(arguments, capture_output=True, text=True, timeout=60)
    first, *lines = said.stdout.splitlines() or [said.stderr]
    for line in lines:
        if line.startswith("  asks "):
            return json.loads(line.removeprefix("  asks "))
    return {"PUBLIC": "public", "DENIED": "no route", "REFUSED": "refused"}.get(first.split(" ")[0], said.stderr)


def test_requests_mean_the_same(tmp_path):
    file = tmp_path / "routes.json"
    file.write_text(json.dumps(FILE))
    for method, target, headers in CASES:
        try:
            means = resolve(method, target, headers=headers)
            if isinstance(means, dict):
                means.setdefault("context", {})["supported_obligations"] = ["custom", "notification"]
        except BadRequest:
            means = "refused"
        assert means == explain(file, method, target, headers), (method, target, headers)
