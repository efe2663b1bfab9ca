"""The script of the demonstration application (testdata/clinic), through the front of the example."""

import base64
import http.client
import json
import os
import pathlib
import socket
import subprocess
import sys
import time

import pytest
from conftest import BIN, ROOT, SAMPLE
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from wardkeeper_pep.routes._file import document

FOLDER = ROOT / "testdata" / "clinic"
CASES = document((FOLDER / "script.yaml").read_bytes())[0]["cases"]


def encoded(data):
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else json.dumps(data).encode()).rstrip(b"=")


def sign_in(person, kind, keys, **more):
    claims = {"iss": "https://idp.example.org", "aud": "user-admin", "sub": person, "exp": time.time() + 3600, **more}
    if kind == "expired":
        claims["exp"] -= 7200
    text = encoded({"alg": "ES256", "kid": "k1"}) + b"." + encoded(claims)
    r, s = decode_dss_signature(keys[kind == "forged"].sign(text, ec.ECDSA(hashes.SHA256())))
    return (text + b"." + encoded(r.to_bytes(32, "big") + s.to_bytes(32, "big"))).decode()


@pytest.fixture
def clinic(tmp_path, sidecar):
    """Start the clinic, a sidecar, and the front between persons and the clinic."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    public = keys[0].public_key().public_numbers()
    x, y = (encoded(n.to_bytes(32, "big")).decode() for n in (public.x, public.y))
    key_set = tmp_path / "jwks.json"
    key_set.write_text(json.dumps({"keys": [{"kty": "EC", "crv": "P-256", "kid": "k1", "x": x, "y": y}]}))
    routes = tmp_path / "routes.yaml"
    routes.write_text((FOLDER / "routes.yaml").read_text().replace("keys_file: jwks.json", f"keys_file: {key_set}"))
    pdp = sidecar()
    application = subprocess.Popen(
        [BIN / "serve", "--addr", "127.0.0.1:0", "--directory", SAMPLE],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    upstream = (
        next(line for line in application.stdout if line.startswith("listening on ")).strip().removeprefix("listening on http://")
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    environment = {**os.environ, "UPSTREAM": upstream, "PDP_URL": pdp.url, "ROUTES_FILE": str(routes), "PDP_TIMEOUT": "20"}
    gunicorn = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--threads", "8", "--log-level", "error"]
    front = subprocess.Popen(
        [*gunicorn, "--header-map", "dangerous", "front:application"],
        cwd=pathlib.Path(__file__).resolve().parents[2] / "example",
        env=environment,
    )
    wait_for(port, front)
    yield {"port": port, "upstream": upstream, "keys": keys, "pdp": pdp}
    for process in (front, application):
        process.terminate()
        process.wait(60)
    application.stdout.close()


def wait_for(port, process):
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.02)
    raise RuntimeError("the front has ended")


def send(clinic, case):
    method, _, target = case["request"].partition(" ")
    lines = [f"{method} {target} HTTP/1.1", "Host: clinic.example.org", "Connection: close"]
    person, at, location = case.get("as", "").partition("@")
    if at:
        lines += ["Authorization: Bearer " + sign_in(person, case.get("token", ""), clinic["keys"]), f"X-Location: {location}"]
    lines += case.get("headers", [])
    payload = case.get("body", "")
    if case.get("chunked"):
        lines.append("Transfer-Encoding: chunked")
        payload = f"{len(payload):x}\r\n{payload}\r\n0\r\n\r\n"
    elif payload:
        lines.append(f"Content-Length: {len(payload)}")
    connection = http.client.HTTPConnection("127.0.0.1", clinic["port"], timeout=60)
    connection.connect()
    connection.sock.sendall(("\r\n".join(lines) + "\r\n\r\n" + payload).encode())
    answer = http.client.HTTPResponse(connection.sock, method=method)
    answer.begin()
    body = answer.read().decode()
    connection.close()
    return answer, body


def journal(clinic):
    connection = http.client.HTTPConnection(clinic["upstream"], timeout=60)
    connection.request("GET", "/journal")
    entries = json.loads(connection.getresponse().read())
    connection.close()
    return entries


def check(case, answer, body):
    assert answer.status == case["status"], (case["name"], body)
    assert case.get("contains", "") in body, case["name"]
    assert not [name for name, _ in answer.getheaders() if name.lower().startswith("x-wardkeeper-")]
    if case.get("page"):
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8", case["name"]
    code = case.get("code", "")
    if passes(case) or (not code and not case.get("page")):
        return
    assert answer.headers.get_all("Cache-Control") == ["no-store"]
    assert (answer.headers["Retry-After"] is not None) == (case["status"] == 503)
    assert (answer.headers["WWW-Authenticate"] is not None) == (case["status"] == 401)
    if not case.get("page") and code:
        assert answer.headers["Content-Type"] == "application/problem+json"
        problem = json.loads(body)
        assert (problem["code"], problem["status"]) == (code, case["status"])
        assert problem["detail"]
        for name, member, where in (("reason", "code", "reasons"), ("rule", "rule", "reasons"), ("advice", "code", "advice")):
            if name in case:
                assert problem[where][0][member] == case[name], case["name"]


def passes(case):
    return case.get("passes", case["status"] < 400)


def test_the_script(clinic):
    assert len(CASES) > 40
    stopped = False
    for case in CASES:
        if case.get("stopped") and not stopped:
            clinic["pdp"].stop()
            stopped = True
        journal(clinic)  # without earlier entries
        answer, body = send(clinic, case)
        check(case, answer, body)
        person = case.get("person", case.get("as", "").partition("@")[0])
        entered = [f"{case['request']} by {person}"] if passes(case) else []
        assert journal(clinic) == entered + case.get("did", []), case["name"]
        if entered:
            assert answer.headers["X-Clinic-Person"] == person, case["name"]
