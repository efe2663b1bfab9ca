import asyncio
from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI, HTTPException, Request, WebSocket
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from wardkeeper_pep import CONFIRM, AsyncChecker, AsyncClient, AsyncEnforcer, Handler, routes
from wardkeeper_pep.asgi import Middleware
from wardkeeper_pep.fastapi import Protection, checked
from wardkeeper_pep.testing import FakePdp

MAIL = {"id": "T/mail", "type": "notification", "properties": {"channel": "email"}}


class Clinic:
    """An application that asks in its code."""

    def __init__(self):
        self.pdp = FakePdp().start()
        self.done = []

        async def mail(obligation):
            self.done.append(obligation.id)

        enforcer = AsyncEnforcer(AsyncClient(self.pdp.url, timeout=30), {"notification": Handler(after=mail), CONFIRM: Handler()})
        protect = Protection(
            enforcer, self.person, context=lambda request: {"current_location": request.headers.get("x-location", "ghi")}
        )
        self.app = app = FastAPI()
        app.add_middleware(Middleware)

        @app.get("/users/{id}", dependencies=[Depends(protect.may("user.view", "{id}", location=lambda request: "abc"))])
        async def view(id: str, request: Request):
            return {"id": id, "can": await protect.can(request, ["user.view", "user.edit"], id)}

        @app.post("/users/{id}", dependencies=[Depends(protect.may("user.edit", "{id}"))])
        def edit(id: str, fails: bool = False):
            if fails:
                raise HTTPException(409)
            return {"id": id}

        @app.post("/both", dependencies=[Depends(protect.may("user.edit", "jane")), Depends(protect.may("user.move", "jane"))])
        def both():
            return {}

        both_headers = [
            Depends(protect.may("user.edit", "jane")),
            Depends(protect.may("user.move", "jane", confirmed="X-Moved")),
        ]

        @app.post("/both-headers", dependencies=both_headers)
        def with_headers():
            return {}

        @app.get("/search", dependencies=[Depends(protect.may("user.view", lambda request: request.query_params.get("id")))])
        def search():
            return {}

    def person(self, request):
        return request.headers.get("x-test-person")


@pytest.fixture
def clinic():
    made = Clinic()
    with TestClient(made.app, headers={"x-test-person": "alice"}) as client:
        made.client = client
        yield made
    made.pdp.close()


def test_what_may_be_done(clinic):
    clinic.pdp.permit("user.view")
    answer = clinic.client.get("/users/jane", headers={"x-request-id": "r-1"})
    assert answer.json() == {"id": "jane", "can": {"user.view": True, "user.edit": False}}
    assert [(a.action, a.resource) for a in clinic.pdp.asked] == [
        ("user.view", "jane"),
        ("user.view", "jane"),
        ("user.edit", "jane"),
    ]
    assert clinic.pdp.asked[0].message["resource"]["properties"] == {"location": "abc"}
    assert clinic.pdp.asked[0].context == {"current_location": "ghi", "supported_obligations": ["custom", "notification"]}
    assert {a.headers["x-request-id"] for a in clinic.pdp.asked} == {"r-1"}


def test_what_may_not(clinic):
    clinic.pdp.deny("user.view", message="Not one of yours.", advice="Ask.")
    answer = clinic.client.get("/users/jane")
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "Not one of yours."
    assert answer.headers["x-request-id"] == answer.json()["request_id"]
    assert clinic.client.get("/users/jane", headers={"accept": "text/html"}).text.startswith("<!doctype html>")
    assert clinic.client.get("/users/jane", headers={"x-test-person": ""}).status_code == 401
    assert clinic.client.get("/search").status_code == 400
    clinic.pdp.fail()
    answer = clinic.client.get("/users/jane")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_obligations(clinic):
    clinic.pdp.permit("user.edit", obligations=[MAIL])
    assert clinic.client.post("/users/jane?fails=true").status_code == 409
    assert clinic.done == []
    assert clinic.client.post("/users/jane").status_code == 200
    assert clinic.done == ["T/mail"]


def test_confirmation(clinic):
    clinic.pdp.permit_once_confirmed("user.edit")
    answer = clinic.client.post("/users/jane")
    assert (answer.status_code, answer.json()["code"]) == (403, "confirmation_required")
    assert clinic.client.post("/users/jane", headers={"x-confirmed": "true"}).status_code == 200


def test_a_confirmation_counts_for_one_question(clinic):
    clinic.pdp.permit_once_confirmed("user.edit")
    clinic.pdp.permit_once_confirmed("user.move")
    confirmed = {"x-confirmed": "true"}
    answer = clinic.client.post("/both", headers=confirmed)
    assert (answer.status_code, answer.json()["code"]) == (403, "confirmation_required")
    assert [(a.action, a.context.get("confirmed")) for a in clinic.pdp.asked] == [("user.edit", True), ("user.move", None)]
    assert clinic.client.post("/both-headers", headers=confirmed).status_code == 403
    assert clinic.client.post("/both-headers", headers={**confirmed, "x-moved": "true"}).status_code == 200


def test_what_cannot_be_judged_does_not_pass():
    async def app(scope, receive, send):
        raise AssertionError("it is not to be called")

    checker = AsyncChecker(routes.parse(FILE), AsyncClient("http://127.0.0.1:9"))
    with pytest.raises(ValueError, match="cannot be judged"):
        asyncio.run(Middleware(app, checker)({"type": "webtransport"}, None, None))


def test_the_middleware_is_not_forgotten():
    app = FastAPI()
    with FakePdp() as pdp:
        pdp.permit("user.view")
        protect = Protection(AsyncEnforcer(AsyncClient(pdp.url)), lambda request: "alice")

        @app.get("/", dependencies=[Depends(protect.may("user.view", "jane"))])
        def view():
            return {}

        @app.get("/checked")
        def by_file(result: Annotated[object, Depends(checked)]):
            return {}

        with TestClient(app) as client:
            for path in ("/", "/checked"):
                with pytest.raises(RuntimeError, match="Middleware"):
                    client.get(path)


FILE = b"""{"version": 1, "subject": {"header": "X-Person"}, "routes": [
    {"path": "/live/{id}", "methods": ["GET"], "action": "user.view", "resource": {"id": {"path": "id"}}},
    {"path": "/echo", "methods": ["POST"], "action": "user.view", "resource": {"id": {"body": "/id"}}}]}"""


def test_a_route_file():
    app, done = FastAPI(), []

    @app.websocket("/live/{id}")
    async def live(socket: WebSocket, id: str):
        await socket.accept()
        await socket.send_text(id)
        await socket.close()

    @app.post("/echo")
    async def echo(request: Request):
        return (await request.body()).decode()

    with FakePdp() as pdp:
        handlers = {"notification": Handler(after=lambda o: done.append(o.id))}
        checker = AsyncChecker(routes.parse(FILE), AsyncClient(pdp.url, timeout=30), handlers)
        app.add_middleware(Middleware, checker=checker, from_proxy=lambda scope: True)
        with TestClient(app, headers={"x-person": "alice"}) as client:
            with pytest.raises(WebSocketDisconnect), client.websocket_connect("/live/jane"):
                pass
            pdp.permit("user.view", obligations=[MAIL])
            with client.websocket_connect("/live/jane") as socket:
                assert socket.receive_text() == "jane"
            assert done == ["T/mail"]
            answer = client.post("/echo", json={"id": "jane"})
            assert answer.json() == '{"id":"jane"}'
            assert pdp.asked[-1].resource == "jane"
            large = httpx.Request("POST", "http://testserver/echo", json={"id": "x" * 70_000}, headers={"x-person": "alice"})
            assert client.send(large).status_code == 400
