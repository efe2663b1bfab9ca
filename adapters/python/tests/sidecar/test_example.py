"""The example, with a sidecar."""

import importlib.util
import pathlib

import pytest
from starlette.testclient import TestClient

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "example" / "users.py"


@pytest.fixture
def users(sidecar, monkeypatch):
    monkeypatch.setenv("PDP_URL", sidecar().url)
    monkeypatch.setenv("PDP_TIMEOUT", "60")
    spec = importlib.util.spec_from_file_location("users", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with TestClient(module.app) as client:
        client.outbox = module.outbox
        yield client


def test_pages(users):
    assert users.get("/users").status_code == 401
    users.auth = ("alice", "wrong")
    assert users.get("/users").status_code == 401
    users.auth = ("alice", "secret")
    first = users.get("/users").text
    assert first.count("<li>") == 5
    token = first.partition("?token=")[2].partition('"')[0]
    assert users.get("/users", params={"token": token}).text.count("<li>") > 0
    shown = users.get("/users/jane").text
    assert '/user.edit">user.edit' in shown
    assert 'user.reactivate" disabled>' in shown
    assert users.get("/users/lucy").status_code == 403


def test_what_obliges(users):
    users.auth = ("alice", "secret")
    refused = users.post("/users/jane/user.deactivate")
    assert refused.status_code == 403
    assert "<li>multiple locations</li>" in refused.text
    assert users.outbox == []
    assert users.post("/users/jane/user.deactivate?confirmed=true").status_code == 200
    assert users.outbox == ["end the sessions of jane"]
