import asyncio
import json
import logging

import pytest

from wardkeeper_pep import CONFIRM, AsyncChecker, AsyncClient, Checker, Client, Handler, routes
from wardkeeper_pep.errors import KeysUnavailable, TokenInvalid
from wardkeeper_pep.testing import FakePdp

FILE = {
    "version": 1,
    "subject": {"jwt": {"keys_file": "k", "issuer": "i", "audience": "a", "algorithms": ["ES256"]}},
    "supported_obligations": ["notification"],
    "routes": [
        {"path": "/open", "methods": ["GET"], "public": True},
        {"path": "/users/{id}", "methods": ["GET"], "action": "user.view", "resource": {"id": {"path": "id"}}},
        {"path": "/roles/{id}", "methods": ["POST"], "action": "role.add", "resource": {"id": {"body": "/id"}}},
    ],
}
TABLE = routes.parse(json.dumps(FILE).encode())


class Verifier:
    def verify(self, token):
        if token == "wrong":
            raise TokenInvalid("it is wrong")
        if token == "away":
            raise KeysUnavailable
        if token == "bug":
            raise RuntimeError("alice")
        return {"sub": token}


def request(target, token="alice", method="GET", body=None, **fields):
    headers = [(name.replace("_", "-"), value) for name, value in fields.items()]
    if token:
        headers.append(("authorization", "Bearer " + token))
    return routes.Request(method, target, ["h"], headers, read_body=body)


@pytest.fixture(params=["blocking", "asyncio"])
def check(request):
    with FakePdp() as pdp:
        handlers = {"notification": Handler(), CONFIRM: Handler()}

        def blocking(made, told=False):
            with Client(pdp.url, timeout=30) as client:
                return Checker(TABLE, client, None if told else handlers, Verifier()).check(made)

        def later(made, told=False):
            async def run():
                async with AsyncClient(pdp.url, timeout=30) as client:
                    return await AsyncChecker(TABLE, client, None if told else handlers, Verifier()).check(made)

            return asyncio.run(run())

        made = blocking if request.param == "blocking" else later
        made.pdp = pdp
        yield made


def test_a_request_that_passes(check):
    check.pdp.permit("user.view")
    result = check(request("/users/jane", x_request_id="r-1"))
    assert result.passes
    assert (result.subject, result.route.path, result.trace.request_id) == ("alice", "/users/{id}", "r-1")
    assert check.pdp.asked[0].headers["x-request-id"] == "r-1"
    assert check.pdp.asked[0].context == {"supported_obligations": ["custom", "notification"]}


def test_a_public_route_is_not_asked_about(check):
    result = check(request("/open", token=""))
    assert result.passes
    assert result.subject == ""
    assert check.pdp.asked == []


@pytest.mark.parametrize(
    ("made", "status", "code"),
    [
        (request("/nowhere"), 403, "denied"),
        (request("/users/jane", token=""), 401, "unauthenticated"),
        (request("/users/jane", token="wrong"), 401, "unauthenticated"),
        (request("/users/jane", token="away"), 503, "unavailable"),
        (request("/users/jane", token="bug"), 503, "unavailable"),
        (request("/users/jane%2F"), 400, "bad_request"),
        (request("/users/jane"), 403, "denied"),
        (request("/roles/x", method="POST"), 503, "unavailable"),
    ],
)
def test_refusals(check, caplog, made, status, code):
    caplog.set_level(logging.INFO)
    result = check(made)
    assert (result.refusal.status, result.refusal.code) == (status, code)
    assert result.refusal.request_id
    assert "a request was refused" in caplog.text
    for name in ("jane", "alice", "wrong "):
        assert name not in caplog.text


def test_a_body(check):
    check.pdp.permit("role.add")

    def read(limit):
        assert limit == 64 << 10
        return b'{"id":"jane"}'

    made = request("/roles/x", method="POST", body=read, content_type="application/json")
    assert check(made).passes
    assert check.pdp.asked[0].resource == "jane"


@pytest.mark.parametrize("error", [routes.BodyTooLong, routes.BodyIncomplete, OSError])
def test_a_body_that_cannot_be_read(check, error):
    def read(_):
        raise error

    assert check(request("/roles/x", method="POST", body=read)).refusal.status == 400


def test_no_answer(check):
    check.pdp.fail()
    assert check(request("/users/jane")).refusal.status == 503


def test_an_application_that_is_told(check):
    mail = {"id": "T/mail", "type": "notification", "properties": {"to": "jané", "channel": "email"}}
    check.pdp.permit("user.view", obligations=[mail])
    result = check(request("/users/jane", token="al~e.o+x/"), told=True)
    fields = dict(result.fields())
    assert fields["X-Wardkeeper-Subject"] == "al~e.o+x%2F"
    assert fields["X-Wardkeeper-Obligations"].isascii()
    assert json.loads(fields["X-Wardkeeper-Obligations"]) == [mail]
    assert fields["X-Request-ID"] == result.trace.request_id


def test_what_a_page_offers_is_asked_of_the_same_person(check):
    check.pdp.permit("user.view")
    about = check(request("/users/jane")).about("bob", location="ghi", context={"x": 1})
    assert (about.subject.id, about.resource.id, about.resource.properties, about.context) == (
        "alice",
        "bob",
        {"location": "ghi"},
        {"x": 1},
    )


def test_keys_are_not_waited_for_in_threads():
    waits = []

    class Waiting:
        def verify(self, token):
            raise AssertionError("it may block")

        def verify_now(self, token):
            if token == "away":
                raise KeysUnavailable
            waits.append(token)
            return {"sub": token} if len(waits) == 3 else None

    async def run(token):
        async with AsyncClient(pdp.url, timeout=30) as client:
            return await AsyncChecker(TABLE, client, {}, Waiting()).check(request("/users/jane", token=token))

    with FakePdp() as pdp:
        pdp.permit("user.view")
        assert asyncio.run(run("alice")).subject == "alice"
        assert asyncio.run(run("away")).refusal.status == 503
        waits.append("one too many")
        assert asyncio.run(run("alice")).refusal.status == 503  # in vain


def test_request_ids_that_cannot_be_used(check):
    check.pdp.permit("user.view")
    for value in ("a b", "x" * 129, "", "é"):
        made = check(request("/users/jane", x_request_id=value)).trace.request_id
        assert made != value
        assert len(made) == 32
