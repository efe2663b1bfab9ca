import io
import json

import pytest

from wardkeeper_pep import Checker, Client, Handler, Refusal, Refused, routes
from wardkeeper_pep.testing import FakePdp
from wardkeeper_pep.wsgi import Middleware, request_of, result_of

FILE = b"""{"version": 1, "subject": {"header": "X-Person"}, "routes": [
    {"path": "/search", "methods": ["GET"], "action": "user.view", "resource": {"id": {"query": "id"}}},
    {"path": "/users/{id}", "methods": ["GET"], "action": "user.view", "resource": {"id": {"path": "id"}}},
    {"path": "/echo", "methods": ["POST"], "action": "user.view", "resource": {"id": {"body": "/id"}}}]}"""
MAIL = {"id": "T/mail", "type": "notification", "properties": {"channel": "email"}}


def environ_of(method="GET", target="/users/jane", body=b"", **more):
    path, _, query = target.partition("?")
    return {
        "REQUEST_METHOD": method,
        "REQUEST_URI": target,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "HTTP_HOST": "h",
        "HTTP_X_PERSON": "alice",
        "CONTENT_LENGTH": str(len(body)) if body else "",
        "CONTENT_TYPE": "application/json" if body else "",
        "wsgi.input": io.BytesIO(body),
        **more,
    }


class Call:
    """Calls an application behind the middleware."""

    def __init__(self, pdp, app):
        self.done = []
        handlers = {"notification": Handler(after=lambda o: self.done.append(o.id))}
        checker = Checker(routes.parse(FILE), Client(pdp.url, timeout=30), handlers)
        self.protected = Middleware(app, checker, from_proxy=lambda environ: True)

    def __call__(self, environ):
        seen = {}

        def start(status, fields, exc_info=None):
            seen["status"], seen["fields"] = status, dict(fields)

        body = self.protected(environ, start)
        text = b"".join(body)
        if hasattr(body, "close"):
            body.close()
        return seen["status"], text, seen["fields"]


@pytest.fixture
def pdp():
    with FakePdp() as made:
        made.permit("user.view", obligations=[MAIL])
        yield made


def answering(status):
    def app(environ, start_response):
        start_response(status, [])
        return [result_of(environ).subject.encode()]

    return app


def test_obligations_follow_success(pdp):
    call = Call(pdp, answering("200 OK"))
    assert call(environ_of())[:2] == ("200 OK", b"alice")
    assert call.done == ["T/mail"]
    call = Call(pdp, answering("409 Conflict"))
    assert call(environ_of())[0] == "409 Conflict"
    assert call.done == []


def test_an_application_that_is_a_generator(pdp):
    def app(environ, start_response):
        start_response("200 OK", [])
        yield b"a"
        assert call.done == ["T/mail"]
        yield b"b"

    call = Call(pdp, app)
    assert call(environ_of())[1] == b"ab"
    assert call.done == ["T/mail"]


def test_an_application_that_raises(pdp):
    def app(environ, start_response):
        raise Refused(Refusal(403, "denied", "No."))

    call = Call(pdp, app)
    status, body, fields = call(environ_of(HTTP_X_REQUEST_ID="r-1"))
    assert (status, json.loads(body)["detail"], fields["Cache-Control"]) == ("403 Forbidden", "No.", "no-store")
    assert (fields["X-Request-ID"], json.loads(body)["request_id"]) == ("r-1", "r-1")
    assert call.done == []

    def generator(environ, start_response):
        raise Refused(Refusal(403, "denied", "No."))
        yield b""

    status, body, fields = Call(pdp, generator)(environ_of(HTTP_X_REQUEST_ID="r-1"))
    assert (status, json.loads(body)["detail"], fields["X-Request-ID"]) == ("403 Forbidden", "No.", "r-1")

    def late(environ, start_response):
        start_response("200 OK", [])
        yield b"a"
        raise Refused(Refusal(403, "denied", "No."))

    with pytest.raises(Refused):
        Call(pdp, late)(environ_of())
    with pytest.raises(ZeroDivisionError):
        Call(pdp, lambda environ, start_response: 1 / 0)(environ_of())


def test_a_body_is_read_twice(pdp):
    def app(environ, start_response):
        start_response("200 OK", [])
        return [environ["wsgi.input"].read()]

    call = Call(pdp, app)
    assert call(environ_of("POST", "/echo", b'{"id":"jane"}'))[1] == b'{"id":"jane"}'
    chunked = environ_of("POST", "/echo", b'{"id":"jane"}', CONTENT_LENGTH="", **{"wsgi.input_terminated": True})
    assert call(chunked)[1] == b'{"id":"jane"}'
    for made in (
        environ_of("POST", "/echo", b'{"id":"jane"}', CONTENT_LENGTH="20"),
        environ_of("POST", "/echo", b'{"id":"jane"}', CONTENT_LENGTH="x"),
        environ_of("POST", "/echo", b'{"id":"%b"}' % (b"x" * 70_000)),
        environ_of("POST", "/echo", b'{"id":"%b"}' % (b"x" * 70_000), CONTENT_LENGTH="", **{"wsgi.input_terminated": True}),
    ):
        assert call(made)[0] == "400 Bad Request"


def test_a_server_that_decodes_paths():
    environ = environ_of(target="/users/é".encode().decode("latin-1"), QUERY_STRING="a=b")
    del environ["REQUEST_URI"]
    made = request_of(environ)
    assert made.target == "/users/%C3%A9?a=b"
    assert made.path == "/users/é"


def test_a_prefix_and_a_path_that_differ(pdp):
    call = Call(pdp, answering("200 OK"))
    assert call(environ_of(target="/users/jane", SCRIPT_NAME="/users", PATH_INFO="/jane"))[0] == "200 OK"
    assert call(environ_of(target="/users/jane", PATH_INFO="/users/tom"))[0] == "400 Bad Request"
    assert call(environ_of(REQUEST_URI="http://h/users/jane"))[0] == "400 Bad Request"


def test_a_query_that_differs(pdp):
    call = Call(pdp, answering("200 OK"))
    assert call(environ_of(target="/search?id=jane"))[0] == "200 OK"
    assert call(environ_of(target="/search?id=jane", QUERY_STRING="id=tom"))[0] == "400 Bad Request"
    assert call(environ_of(target="/search?id=jane", QUERY_STRING=""))[0] == "400 Bad Request"
    assert call(environ_of(target="/users/jane", QUERY_STRING="id=tom"))[0] == "400 Bad Request"
    assert call(environ_of(target="/users/jane?"))[0] == "200 OK"


def test_fields():
    made = request_of(environ_of(HTTP_CONTENT_LENGTH="1", HTTP_X_REQUEST_ID="a, b", HTTP_X_Y="z", **{"wsgi.version": (1, 0)}))
    assert sorted(made.headers) == [
        ("content_length", "1"),
        ("x-person", "alice"),
        ("x-request-id", "a"),
        ("x-request-id", "b"),
        ("x-y", "z"),
    ]


def test_a_function_that_raises(pdp):
    call = Call(pdp, answering("200 OK"))
    call.protected._from_proxy = lambda environ: environ["absent"]
    assert call(environ_of())[0] == "503 Service Unavailable"


def test_head(pdp):
    pdp.deny("user.view")
    status, body, fields = Call(pdp, answering("200 OK"))(environ_of("HEAD"))
    assert (status, body) == ("403 Forbidden", b"")
    assert int(fields["Content-Length"]) > 0
