import asyncio
import json
import logging

import django
import pytest
from django.conf import settings

DONE = []


class Mail:
    """Records mail."""

    def __call__(self, obligation):
        DONE.append(obligation.id)


async def record(obligation):
    """Records a log entry before the action, as an asynchronous application does."""
    DONE.append(obligation.id)


settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "file:pep?mode=memory&cache=shared", "OPTIONS": {"uri": True}}
    },
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework"],
    MIDDLEWARE=["wardkeeper_pep.django.Middleware", "django.contrib.sessions.middleware.SessionMiddleware"],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    SECRET_KEY="for tests alone",
    ROOT_URLCONF="urls",
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    STATIC_URL="/static/",
    REST_FRAMEWORK={"UNAUTHENTICATED_USER": None, "DEFAULT_AUTHENTICATION_CLASSES": []},
)
django.setup()

import urls  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.exceptions import ImproperlyConfigured  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.paginator import Paginator  # noqa: E402
from django.test import AsyncClient, AsyncRequestFactory, Client, RequestFactory, override_settings  # noqa: E402

import wardkeeper_pep.django as adapter  # noqa: E402
from wardkeeper_pep import CONFIRM, Handler  # noqa: E402
from wardkeeper_pep.testing import FakePdp  # noqa: E402

MAIL = {"id": "T/mail", "type": "notification", "properties": {"channel": "email"}}
LOG = {"id": "T/log", "type": "logging"}
HANDLERS = {"notification": Handler(after=Mail()), "logging": Handler(before=record), CONFIRM: Handler()}


@pytest.fixture(scope="module", autouse=True)
def database():
    call_command("migrate", run_syncdb=True, verbosity=0)
    for name in ("jane", "tom", "ann", "zoe"):
        User.objects.create(username=name)


@pytest.fixture
def pdp():
    DONE.clear()
    with FakePdp() as made:
        setting = {"URL": made.url, "TIMEOUT": 30.0, "HANDLERS": HANDLERS, "PERSON": "urls.person", "CONTEXT": "urls.context"}
        with override_settings(WARDKEEPER=setting):
            yield made


class Asynchronous:
    """Calls the asynchronous stack as if it were the blocking one."""

    def __init__(self, headers):
        del headers["host"]  # Django's asynchronous client sends it by itself
        self._client, self._headers = AsyncClient(), headers

    def get(self, path, headers=None):
        return asyncio.run(self._client.get(path, headers={**self._headers, **(headers or {})}))

    def options(self, path, headers=None):
        return asyncio.run(self._client.options(path, headers={**self._headers, **(headers or {})}))

    def post(self, path, headers=None, **options):
        return asyncio.run(self._client.post(path, headers={**self._headers, **(headers or {})}, **options))


@pytest.fixture(params=[Client, Asynchronous], ids=["wsgi", "asgi"])
def client(request, pdp):
    made = request.param(headers={"host": "testserver", "x-test-person": "alice", "x-request-id": "r-1"})
    made.pdp = pdp
    return made


VIEWS = ["/users/jane", "/async/jane", "/rest/jane"]


@pytest.mark.parametrize("path", VIEWS)
def test_what_may_be_done(client, path):
    client.pdp.permit("user.view", obligations=[MAIL])
    answer = client.get(path)
    assert answer.status_code == 200
    assert json.loads(answer.content) == {"id": "jane", "can": {"user.view": True, "user.edit": False}}
    first = client.pdp.asked[0]
    assert (first.subject, first.resource, first.context["current_location"]) == ("alice", "jane", "ghi")
    assert {asked.headers["x-request-id"] for asked in client.pdp.asked} == {"r-1"}
    assert DONE == ["T/mail"]


@pytest.mark.parametrize("path", VIEWS)
def test_what_may_not(client, path, caplog):
    caplog.set_level(logging.INFO)
    client.pdp.deny("user.view", message="Not one of yours.")
    answer = client.get(path)
    assert answer.status_code == 403
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = json.loads(answer.content)
    assert (problem["detail"], problem["request_id"]) == ("Not one of yours.", "r-1")
    assert client.get(path, headers={"accept": "text/html"}).content.startswith(b"<!doctype html>")
    assert client.get(path, headers={"x-test-person": ""}).status_code == 401
    client.pdp.fail()
    assert client.get(path).status_code == 503
    assert "jane" not in caplog.text


def test_two_request_ids_are_none(pdp):
    pdp.permit("user.view")
    request = RequestFactory().get("/users/jane", headers={"x-test-person": "alice", "x-request-id": "a,b"})
    assert adapter.Middleware(lambda request: urls.view(request, id="jane"))(request).status_code == 200
    assert "," not in pdp.asked[0].headers["x-request-id"]


@pytest.mark.parametrize("path", ["/edit/jane", "/async-edit/jane", "/rest-edit/jane"])
def test_obligations_and_confirmation(client, path):
    client.pdp.permit_once_confirmed("user.edit")
    assert json.loads(client.post(path).content)["code"] == "confirmation_required"
    assert client.post(path, headers={"x-confirmed": "true"}).status_code == 200
    client.pdp.permit("user.edit", obligations=[MAIL])
    assert client.post(path + "?fails=1").status_code == 409
    assert DONE == []
    assert client.post(path).status_code == 200
    assert DONE == ["T/mail"]


def once(then):
    """Return a rule that permits once, with mail, and then answers in another way."""
    answers = iter([{"decision": True, "context": {"obligations": [MAIL]}}])
    return lambda _: next(answers, then)


DENIED = {"decision": False, "context": {"obligations": [MAIL]}}


def test_a_page_of_rest_framework_with_forms(client):
    client.pdp.answer("user.edit", once(DENIED))
    answer = client.post("/rest-edit/jane", headers={"accept": "text/html"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert DONE == ["T/mail"]
    assert len(client.pdp.asked) == 2  # for the request, and whether there is a form for OPTIONS
    client.pdp.deny("user.edit")
    assert client.post("/rest-edit/jane", headers={"accept": "text/html"}).status_code == 403
    assert len(client.pdp.asked) == 3


@pytest.mark.parametrize(
    ("then", "want"), [({"decision": True, "context": {"obligations": [MAIL]}}, {"POST"}), (DENIED, set()), ("x", set())]
)
def test_metadata_of_rest_framework(client, then, want):
    client.pdp.answer("user.edit", once(then))
    answer = client.options("/rest-new/jane")
    assert answer.status_code == 200
    assert set(json.loads(answer.content).get("actions", {})) == want
    assert DONE == ["T/mail"]


def test_metadata_of_rest_framework_that_cannot_be_asked_about(client):
    client.pdp.permit("user.edit", obligations=[MAIL])
    answer = client.options("/rest-new/nobody")
    assert (answer.status_code, "actions" in json.loads(answer.content)) == (200, False)
    assert DONE == ["T/mail"]


@pytest.mark.parametrize("path", ["/both/jane", "/rest-both/jane"])
def test_a_confirmation_counts_for_one_question(client, path):
    client.pdp.permit_once_confirmed("user.view")
    client.pdp.permit_once_confirmed("user.edit")
    confirmed = {"x-confirmed": "true"}
    assert json.loads(client.post(path, headers=confirmed).content)["code"] == "confirmation_required"
    assert [(a.action, a.context.get("confirmed")) for a in client.pdp.asked] == [("user.view", True), ("user.edit", None)]
    assert client.post(path, headers={**confirmed, "x-edited": "true"}).status_code == 403
    assert client.post(path + "/headers", headers={**confirmed, "x-edited": "true"}).status_code == 200


def test_a_schema_of_rest_framework(client):
    client.pdp.permit("user.list", obligations=[MAIL])
    answer = client.get("/schema")
    assert answer.status_code == 200
    paths = json.loads(answer.content)["paths"]
    assert "/rest/{id}" not in paths  # its question needs the parameter
    assert "/rest-list" in paths
    assert [parameter["name"] for parameter in paths["/rest-users"]["get"]["parameters"]] == ["token"]
    assert DONE == []
    client.pdp.deny("user.list")
    assert "/rest-list" not in json.loads(client.get("/schema").content)["paths"]


def test_a_view_that_another_one_asks_about(client):
    client.pdp.permit_once_confirmed("user.list")
    assert json.loads(client.get("/rest-outer").content)["code"] == "confirmation_required"
    client.pdp.permit("user.list", obligations=[MAIL])
    assert client.get("/rest-outer").status_code == 200
    assert DONE == ["T/mail"]


def test_a_view_that_is_marked_as_asynchronous(pdp):
    pdp.permit("user.view", obligations=[LOG])
    answer = Asynchronous({"host": "testserver", "x-test-person": "alice"}).get("/async-class/jane")
    assert (answer.status_code, DONE) == (200, ["T/log"])


def test_a_sender_who_leaves_does_not_undo_an_action(pdp):
    started, finished = asyncio.Event(), asyncio.Event()

    async def mail(obligation):
        started.set()
        await finished.wait()
        DONE.append(obligation.id)

    async def answer(request):
        return await urls.view_async(request, id="jane")

    async def run():
        request = AsyncRequestFactory().get("/users/jane", headers={"x-test-person": "alice"})
        task = asyncio.ensure_future(adapter.Middleware(answer)(request))
        await started.wait()
        task.cancel()
        await asyncio.wait([task])
        finished.set()
        await asyncio.sleep(0.05)

    pdp.permit("user.view", obligations=[MAIL])
    with override_settings(WARDKEEPER={**settings.WARDKEEPER, "HANDLERS": {"notification": Handler(after=mail)}}):
        asyncio.run(run())
    assert DONE == ["T/mail"]


def hits(*names):
    return [{"type": "user", "id": name} for name in names]


def test_pages_of_rest_framework(client):
    client.pdp.lists["resource"] = hits("zoe", "gone", "ann", "jane")
    first = json.loads(client.get("/rest-users").content)
    assert [row["username"] for row in first["results"]] == ["zoe"]
    second = json.loads(client.get(first["next"].removeprefix("http://testserver")).content)
    assert [row["username"] for row in second["results"]] == ["ann", "jane"]
    assert second["next"] is None
    client.pdp.lists["resource"] = "x"
    assert client.get("/rest-users").status_code == 503


def test_rows_for_the_paginator(pdp):
    pdp.lists["resource"] = hits(*(f"u{i}" for i in range(150)), "tom", "ann", "jane")
    request = RequestFactory().get("/", headers={"x-test-person": "alice"})
    pages = Paginator(adapter.allowed(request, User.objects.order_by("username"), "user.view", field="username"), 2)
    assert [user.username for user in pages.page(1)] == ["ann", "jane"]
    assert pages.num_pages == 2


FILE = {
    "version": 1,
    "subject": {"header": "X-Test-Person"},
    "routes": [
        {"path": "/plain/{id}", "methods": ["GET"], "action": "user.view", "resource": {"id": {"path": "id"}}},
        {"path": "/body", "methods": ["POST"], "action": "user.view", "resource": {"id": {"body": "/id"}}},
    ],
}


def test_a_route_file(client, tmp_path):
    (tmp_path / "routes.json").write_text(json.dumps(FILE))
    setting = {**settings.WARDKEEPER, "ROUTES": str(tmp_path / "routes.json"), "FROM_PROXY": "urls.from_proxy"}
    with override_settings(WARDKEEPER=setting):
        client.pdp.permit("user.view", obligations=[MAIL])
        assert client.get("/plain/jane?x=1").content == b"alice"
        assert DONE == ["T/mail"]
        assert client.get("/users/jane").status_code == 403
        assert client.post("/body", data='{"id":"tom"}', content_type="application/json").content == b'{"id":"tom"}'
        assert client.pdp.asked[-1].resource == "tom"
        large = json.dumps({"id": "x" * 70_000})
        assert client.post("/body", data=large, content_type="application/json").status_code == 400


@pytest.mark.parametrize("setting", [{}, {"URL": "http://x", "ROUTE": "x"}])
def test_settings_that_are_wrong(setting):
    with override_settings(WARDKEEPER=setting), pytest.raises(ImproperlyConfigured, match="the setting WARDKEEPER is wrong"):
        adapter.configured()
