import json

import pytest

from wardkeeper_pep import routes
from wardkeeper_pep.routes import BadRequest, Faults, Matched, ReadBody, Request, Unauthenticated, Verify, _header

FILE = {
    "version": 1,
    "subject": {"jwt": {"keys_file": "k", "issuer": "i", "audience": "a", "algorithms": ["ES256"]}},
    "supported_obligations": ["custom/confirm", "notification"],
    "defaults": {"current_location": {"claim": "location", "optional": True}},
    "routes": [
        {"path": "/open/{rest...}", "methods": ["GET"], "public": True},
        {
            "path": "/users",
            "methods": ["GET"],
            "action": "user.list",
            "resource": {"type": "location", "id": {"query": "location"}},
        },
        {"path": "/users/me", "methods": ["GET"], "action": "user.self", "resource": {"id": "me"}},
        {
            "path": "/users/{id}",
            "methods": ["GET", "DELETE"],
            "action": "user.view",
            "resource": {"id": {"path": "id"}},
            "confirmed": {"header": "X-Confirmed", "optional": True},
            "at_least": {"header": "X-At-Least", "optional": True},
        },
        {
            "path": "/users/{id}/roles",
            "methods": ["POST"],
            "action": "assignment.add",
            "resource": {"id": {"path": "id"}, "properties": {"note": {"body": "/note", "optional": True}}},
            "location": {"body": "/location"},
            "properties": {"role": {"body": "/role"}, "new": True, "tags": ["a", 1]},
        },
        {"path": "/hosted", "host": "admin.example.org", "methods": ["GET"], "action": "user.view", "resource": {"id": "x"}},
        {"path": "/sum", "methods": ["GET"], "action": "user.view", "resource": {"id": {"query": "a_b"}}},
    ],
}
TABLE = routes.parse(json.dumps(FILE).encode())


def resolve(method, target, *, headers=(), host="clinic.example.org", claims=None, body=None, path=None):
    """Return what a request means: the question as a message, "public" or "no route"."""
    request = Request(method, target, [host], [("authorization", "Bearer t"), *headers], path)
    steps = TABLE.resolve(request, Matched())
    try:
        need = next(steps)
        while True:
            if isinstance(need, Verify):
                assert need.token == "t"
                need = steps.send({"sub": "alice", **(claims or {})})
            else:
                assert isinstance(need, ReadBody)
                need = steps.send(body or b"")
    except StopIteration as end:
        meaning = end.value
    if meaning.question is None:
        return "public" if meaning.route else "no route"
    return meaning.question.message()


def test_a_question():
    asked = resolve("GET", "/users/j%61ne", headers=[("X-Confirmed", "true"), ("x-at-least", "t")], claims={"location": "metro"})
    assert asked == {
        "subject": {"type": "user", "id": "alice"},
        "action": {"name": "user.view"},
        "resource": {"type": "user", "id": "jane"},
        "context": {"current_location": "metro", "confirmed": True, "at_least": "t"},
    }


def test_a_body():
    json_type = [("content-type", 'application/json; charset="UTF-8"')]
    asked = resolve("POST", "/users/jane/roles", headers=json_type, body=b'{"role":"nurse","location":7,"note":null}')
    assert asked["action"]["properties"] == {"role": "nurse", "new": True, "tags": ["a", 1]}
    assert asked["resource"] == {"type": "user", "id": "jane", "properties": {"location": "7"}}


BLANKS = " \t" * (30 << 10)
LONG = BLANKS * 64  # an expression that takes quadratic time does not end with them


@pytest.mark.parametrize(
    ("content_type", "is_json"),
    [
        ("application/json", True),
        ("APPLICATION/Json;CHARSET=Utf-8", True),
        ("application/json \t; \tcharset=utf-8 \t; \t", True),
        ("application/json;", True),
        ("application/json;;", False),
        ("application/json;;charset=utf-8", False),
        ("application/json;charset=utf-8;;", False),
        ("application/json;charset=utf-8;charset=utf-8", False),
        ("application/json;charset=utf-8 x", False),
        ('application/json;charset="utf-8', False),
        ("application/json;charset =utf-8", False),
        ("application/json;charset=latin-1", False),
        (" application/json", False),
        ("application/json\n", False),
        ("application/json\xa0", False),
        ("", False),
        (";", False),
        (f"application/json{BLANKS};{BLANKS}charset=utf-8{BLANKS};{BLANKS}", True),
        (f"application/json{LONG}x", False),
        (f"application/json;charset=utf-8{LONG}x", False),
        ("application/json" + ";" * len(BLANKS), False),
    ],
)
def test_content_types(content_type, is_json):
    def asked():
        return resolve("POST", "/users/jane/roles", headers=[("content-type", content_type)], body=b'{"role":"r","location":"l"}')

    if is_json:
        assert asked()["resource"]["id"] == "jane"
    else:
        with pytest.raises(BadRequest, match="not JSON"):
            asked()


def test_a_body_longer_than_was_asked_for():
    def body(length):
        start = b'{"role":"r","location":"l"'
        return start + b" " * (length - len(start) - 1) + b"}"

    json_type = [("content-type", "application/json")]
    assert resolve("POST", "/users/jane/roles", headers=json_type, body=body(routes.MAX_BODY))["resource"]["id"] == "jane"
    with pytest.raises(BadRequest, match="too long"):
        resolve("POST", "/users/jane/roles", headers=json_type, body=body(routes.MAX_BODY + 1))


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ([], b'{"role":"r","location":"l"}'),
        ([("content-type", "text/plain")], b'{"role":"r","location":"l"}'),
        ([("content-type", "application/json"), ("Content-Type", "application/json")], b'{"role":"r","location":"l"}'),
        ([("content-type", "application/json"), ("content-encoding", "gzip")], b'{"role":"r","location":"l"}'),
        ([("content-type", "application/json")], b'{"role":"r","role":"s","location":"l"}'),
        ([("content-type", "application/json")], b'{"role":"r","Role":"s","location":"l"}'),
        ([("content-type", "application/json")], b'{"role":"r","location":" l"}'),
        ([("content-type", "application/json")], b'{"role":"r","location":1.0}'),
        ([("content-type", "application/json")], b'{"role":"r","location":9007199254740992}'),
        ([("content-type", "application/json")], b'{"role":"r","location":true}'),
        ([("content-type", "application/json")], b'{"role":"r"}'),
        ([("content-type", "application/json")], b'["role"]'),
        ([("content-type", "application/json")], b""),
    ],
)
def test_bodies_without_one_meaning(headers, body):
    with pytest.raises(BadRequest):
        resolve("POST", "/users/jane/roles", headers=headers, body=body)


def test_the_first_route_counts():
    assert resolve("GET", "/users/me")["action"] == {"name": "user.self"}
    assert resolve("DELETE", "/users/me")["action"] == {"name": "user.view"}
    assert resolve("HEAD", "/users/jane")["action"] == {"name": "user.view"}


@pytest.mark.parametrize(
    ("method", "target"),
    [("PUT", "/users/jane"), ("GET", "/users/jane/"), ("GET", "/Users/jane"), ("GET", "/"), ("GET", "/hosted")],
)
def test_no_route(method, target):
    assert resolve(method, target) == "no route"


def test_hosts():
    assert resolve("GET", "/hosted", host="Admin.Example.Org:8080") != "no route"
    assert resolve("GET", "/open/", host="[2001:db8::1]:80") == "public"
    for host in (
        "",
        "a..b",
        "a.",
        "a:b:80",
        "a:",
        "a:123456",
        "u@a",
        "[::1%25eth0]",
        "[::1",
        "[1.2.3.4]",
        "a b",
        "é.org",
        "x" * 300,
    ):
        with pytest.raises(BadRequest):
            resolve("GET", "/open/", host=host)


def test_a_claim_that_does_not_name_the_person():
    for claims in ({"sub": None}, {"sub": ""}, {"sub": ["alice"]}, {"sub": " alice"}, {"sub": True}, {"location": 1.5}):
        with pytest.raises(Unauthenticated):
            resolve("GET", "/users/jane", claims=claims)


def test_a_path_that_the_application_gets_in_another_way():
    assert resolve("GET", "/open/%61", path="/open/a") == "public"
    with pytest.raises(BadRequest):
        resolve("GET", "/open/x", path="/users/jane")


REFUSED_HEADERS = [
    *(("X-HTTP-Method-Override", "GET"), ("x-method-override", "GET"), ("X_Http_Method", "GET"), ("X-Original-URL", "/")),
    *(("X-Rewrite-Url", "/"), ("X-Wardkeeper-Subject", "bob"), ("x_wardkeeper_subject", "bob"), ("X.Wardkeeper.Any", "1")),
    *(("Connection", "close, X-Foo"), ("Trailer", "X"), ("Upgrade", "h2c"), ("upgrade", "websocket, H2C"), ("Content_Length", "1")),
    *(("Transfer_Encoding", "chunked"), ("X_Remote_User", "bob"), ("Remote.User", "bob"), ("Proxy_Authorization", "x")),
]


@pytest.mark.parametrize("header", REFUSED_HEADERS, ids=lambda header: header[0])
def test_headers_that_are_refused(header):
    with pytest.raises(BadRequest):
        resolve("GET", "/open/x", headers=[header])


TARGETS = [
    *(
        "/open/x",
        "/open/../users/jane",
        "/open/..",
        "/open/.",
        "/open/%2e%2e/users",
        "/open/.%2E/x",
        "/open/..%2fusers",
        "/users/a%2Fb",
    ),
    *("/open/%252e", "//users/jane", "/users//jane", "/open/..\\x", "/open/..%5Cx", "/users/a;x=1", "/open/..;/x", "/users/a%3Bx"),
    *(
        "/users/a%00",
        "/users/a%0d%0aX:y",
        "/users/a%3Fx",
        "/users/a%23x",
        "/open/%c0%ae",
        "/users/%ff",
        "/users/a%zz",
        "/users/a%2",
    ),
    *("/users/%20a", "/users/a%20", "/users/a.", "/users/a%2e", "/users/%E2%80%8Ba", "/users/a%E2%80%8B", "/open/%EF%BC%8Fx"),
    *("/open/%E2%80%A8x", "/open/%C2%85", "/users/a|b", '/users/a"b', "/users/a<b", "/users/a^b", "/users/a`b", "/users/{a}"),
    *(
        "/users/a[0]",
        "/users/a:b@c",
        "/users/a+b",
        "/users/a!$&'()*,=b",
        "/users/%41",
        "/users/j%61ne",
        "/users/%C3%A9",
        "/users/a%C3%A9",
    ),
    *(
        "/users?location=ghi",
        "/users?location=ghi&location=x",
        "/users?location=ghi&Location=x",
        "/users?location=ghi&l%6fcation=x",
    ),
    *(
        "/users?location=ghi&location[]=x",
        "/users?location=ghi&[location]=x",
        "/users?location[x]=y",
        "/users?location=",
        "/users?location",
    ),
    *("/users?location=a+b", "/users?location=a%20b", "/users?location=%20a", "/users?x=1;location=ghi", "/users?location=%zz"),
    *(
        "/users?location=%ff",
        "/users?location=%00",
        "/users?+location=ghi",
        "/users?location+=ghi",
        "/users?%20location=x&location=y",
    ),
    *(
        "/users?LOCATION=x",
        "/users?locat%C4%B1on=x&location=y",
        "/users?_method=DELETE&location=x",
        "/users?_Method=x",
        "/open/x?_method",
    ),
    *(
        "/open/x?_method[]=1",
        "/open/x?a=1;_method=x",
        "/open/x?_methodx=1",
        "/sum?a_b=1",
        "/sum?a.b=1",
        "/sum?a_b=1&a+b=2",
        "/sum?a_b=1&a[b=2",
    ),
    *(
        "/sum?a_b=1&a.b=2",
        "/sum?a_b=1&aXb=2",
        "/sum?a_b=%E2%80%8Bx",
        "/sum?a_b=%C2%A0x",
        "/open",
        "/open/",
        "/",
        "/users/",
        "/users/me",
    ),
    *(
        "users",
        "",
        "*",
        "http://h/open/x",
        "/open/x#y",
        "/open/ x",
        "/open/é",
        "/" + "x" * 8192,
        "/users/" + "x" * 1024,
        "/users/" + "x" * 1025,
    ),
    *(
        "/hosted",
        "/users/jane/roles",
        "/users/jane/roles/",
        "/users/...",
        "/users/..a",
        "/users/.a",
        "/users/a.b",
        "/users/~a",
        "/users/%7ea",
    ),
    *(
        "/users/a%25b",
        "/users/%e2%92%88",
        "/users/%F0%9F%84%80",
        "/users/%EF%BC%85",
        "/users/%CD%BE",
        "/open/a/b/c",
        "/open/a//b",
        "/open/a/",
    ),
]


def faults_of(**changes):
    file = json.loads(json.dumps(FILE))
    for path, value in changes.items():
        *parents, last = path.split("__")
        node = file
        for parent in parents:
            node = node[int(parent) if parent.isdigit() else parent]
        if value is None:
            del node[int(last) if last.isdigit() else last]
        else:
            node[int(last) if last.isdigit() else last] = value
    with pytest.raises(Faults) as problem:
        routes.parse(json.dumps(file).encode())
    return str(problem.value)


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        ({"version": 2}, "version is not 1"),
        ({"version": True}, "version is not 1"),
        ({"version": None}, "version is missing"),
        ({"more": 1}, '"more" is not a key of the file'),
        ({"subject": None}, "subject is missing"),
        ({"subject": {"header": "X-Wardkeeper-User"}}, "begins with X-Wardkeeper-"),
        ({"subject": {"header": "X-Remote-User"}}, "there are no claims without a token"),
        ({"subject__header": "X-Remote-User"}, "not exactly one of jwt and header"),
        ({"subject__jwt__keys": "https://x"}, "not exactly one of keys and keys_file"),
        ({"subject__jwt__algorithms": ["HS256"]}, "not an algorithm with a public key"),
        ({"subject__jwt__algorithms": []}, "algorithms is empty"),
        ({"subject__jwt__issuer": None}, "issuer is missing"),
        ({"subject__jwt__cookie": "a b"}, "not a name of a cookie"),
        ({"supported_obligations": ["custom"]}, "name its action"),
        ({"supported_obligations": ["x/y"]}, "only custom has an action"),
        ({"defaults__host": "A.org"}, "lower case"),
        ({"defaults__confirmed": {"body": "/x"}}, "differs between routes"),
        ({"routes": []}, "routes is empty"),
        ({"routes__0__action": "x"}, "this one is public"),
        ({"routes__0__public": False}, "public is false"),
        ({"routes__1__path": "/users/{id"}, "a whole segment"),
        ({"routes__1__path": "/a//b"}, "matches no request"),
        ({"routes__1__path": "/{a}/{a}"}, "twice"),
        ({"routes__1__path": "/{a...}/b"}, "last segment"),
        ({"routes__1__methods": ["get"]}, "upper case"),
        ({"routes__1__methods": ["TRACE"]}, "refused always"),
        ({"routes__1__methods": "GET"}, "not a list"),
        ({"routes__1__resource__id": {"query": "_method"}}, "are refused"),
        ({"routes__1__resource__id": {"query": "a[b]"}}, "every program reads alike"),
        ({"routes__1__resource__id": {"header": "Cookie"}}, "cannot be drawn from"),
        ({"routes__1__resource__id": {"header": "X-Request-Id"}}, "set it themselves"),
        ({"routes__1__resource__id": {"path": "id"}}, "the path has no parameter id"),
        ({"routes__1__resource__id": {"path": "id", "query": "id"}}, "not exactly one of"),
        ({"routes__1__resource__id": {"query": "id", "optional": True}}, "is in every question"),
        ({"routes__4__location": {"body": "role"}}, "not a JSON pointer"),
        ({"routes__4__resource__properties": {"location": "x"}}, "location is a property of the resource too"),
        ({"routes__2": FILE["routes"][3], "routes__3": FILE["routes"][2]}, "no GET request reaches the route /users/me"),
        ({"routes__3__path": "/users/{user}"}, "the path has no parameter id"),
        ({"routes__5__path": "/open/x", "routes__5__host": "a.org"}, "no GET request reaches"),
        ({"routes__2": {"path": "/users/{x}", "methods": ["PUT"], "public": True}}, "only by the names of parameters"),
    ],
)
def test_faults(changes, want):
    assert want in faults_of(**changes)


def test_all_faults_are_told():
    assert len(faults_of(version=2, more=1, routes__1__methods=[]).splitlines()) == 3


@pytest.mark.parametrize("text", [b"", b'{"version":1,"version":1,"routes":[]}', b"{", b" " * ((1 << 20) + 1), b"[" * 10_000])
def test_files_that_are_none(text):
    with pytest.raises(Faults):
        routes.parse(text)


YAML = """
version: 1
subject: {header: X-Person}
routes:
  - path: /users/{id}
    methods: [GET]
    action: no
    resource: {id: {path: id}}
    properties: {on: yes, flag: true, size: 1.5, list: [a, 2]}
"""


def test_yaml():
    table = routes.parse(YAML.encode())
    assert table.routes[0].line == 5
    request = Request("GET", "/users/jane", ["h"], [("X-Person", "alice")], from_proxy=lambda: True)
    with pytest.raises(StopIteration) as end:
        next(table.resolve(request, Matched()))
    assert end.value.value.question.message()["action"] == {
        "name": "no",
        "properties": {"on": "yes", "flag": True, "size": 1.5, "list": ["a", 2]},
    }


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [
        ("version: 1", "version: 1\nversion: 1", "line 3: "),
        ("action: no", "action: 2026-01-01", "line 7: routes[0].action: action is not a text"),
        ("action: no", "action: &a no", ""),
        ("action: no", "action: *a", "alias"),
        ("1.5", "0x10", "a number that JSON does not have"),
        ("1.5", "~", "is not a text"),
        ("{path: id}", "{path: id", "not YAML"),
        ("version: 1", "version: 1\n---\nversion: 1", "second document"),
        ("version: 1", "version: 1\n1: x", "a key is not a text"),
        ("version: 1", "version: 1\n<<: {}", "a key is not a text"),
    ],
)
def test_faults_of_yaml(old, new, want):
    text = YAML.replace(old, new).encode()
    if not want:
        routes.parse(text)
        return
    with pytest.raises(Faults) as problem:
        routes.parse(text)
    assert want in str(problem.value)


def test_the_person_that_a_proxy_names():
    table = routes.parse(YAML.encode())

    def resolve(headers, from_proxy):
        with pytest.raises(StopIteration) as end:
            next(table.resolve(Request("GET", "/users/jane", ["h"], headers, from_proxy=lambda: from_proxy), Matched()))
        return end.value.value.question.subject.id

    assert resolve([("x-person", "alice")], True) == "alice"
    with pytest.raises(Unauthenticated):
        resolve([("x-person", "alice")], False)
    with pytest.raises(Unauthenticated):
        resolve([], True)
    for headers in (
        [("x-person", "a"), ("x-person", "b")],
        [("x-person", "a"), ("x_person", "b")],
        [("x-person", "a,b")],
        [("x-person", "")],
    ):
        with pytest.raises(BadRequest):
            resolve(headers, True)


def test_names_of_fields_that_senders_choose_are_not_kept():
    known = _header._known.cache_info().currsize
    for i in range(5):
        assert routes.folded("X" * 5000 + str(i)) == "x" * 5000 + str(i)
    assert _header._known.cache_info().currsize == known
