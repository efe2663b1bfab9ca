import base64
import contextlib
import http.server
import json
import socket
import threading
import time

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from wardkeeper_pep import identity
from wardkeeper_pep.errors import KeysUnavailable, TokenInvalid
from wardkeeper_pep.identity import KeySetError, Verifier, parse_key_set

CLAIMS = {"iss": "https://idp.example.org", "aud": "user-admin", "sub": "alice", "exp": 2_000_000_000}
NOW = 1_900_000_000


def encoded(data):
    if not isinstance(data, bytes):
        data = data.encode() if isinstance(data, str) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(n):
    return encoded(n.to_bytes((n.bit_length() + 7) // 8, "big"))


EC = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
RSA = rsa.generate_private_key(65537, 2048)
SHORT = rsa.generate_private_key(65537, 1024)
ED = ed25519.Ed25519PrivateKey.generate()


def jwk_of(private, **members):
    public = private.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        made = {"kty": "RSA", "n": number(public.public_numbers().n), "e": number(public.public_numbers().e)}
    elif isinstance(public, ec.EllipticCurvePublicKey):
        size, numbers = (public.key_size + 7) // 8, public.public_numbers()
        x, y = (encoded(n.to_bytes(size, "big")) for n in (numbers.x, numbers.y))
        made = {"kty": "EC", "crv": f"P-{public.key_size}", "x": x, "y": y}
    else:
        made = {"kty": "OKP", "crv": "Ed25519", "x": encoded(public.public_bytes_raw())}
    return {**made, **members}


def sign(private, algorithm="ES256", claims=CLAIMS, header=None):
    parts = [encoded(header if header is not None else {"alg": algorithm, "kid": "k1"}), encoded(claims)]
    text = ".".join(parts).encode()
    digest = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}.get(algorithm[2:], hashes.SHA256)()
    if isinstance(private, ed25519.Ed25519PrivateKey):
        signature = private.sign(text)
    elif isinstance(private, rsa.RSAPrivateKey):
        scheme = padding.PSS(padding.MGF1(digest), digest.digest_size) if algorithm.startswith("PS") else padding.PKCS1v15()
        signature = private.sign(text, scheme, digest)
    else:
        size = (private.key_size + 7) // 8
        signature = b"".join(n.to_bytes(size, "big") for n in decode_dss_signature(private.sign(text, ec.ECDSA(digest))))
    return ".".join([*parts, encoded(signature)])


@pytest.fixture
def verifier(tmp_path):
    def make(*keys, algorithms=("ES256", "ES384", "RS256", "PS512", "EdDSA")):
        path = tmp_path / "keys.json"
        path.write_text(json.dumps({"keys": [{"kty": "new"}, *(keys or [jwk_of(EC, kid="k1")])]}))
        return Verifier(keys_file=str(path), issuer=CLAIMS["iss"], audience="user-admin", algorithms=algorithms, now=lambda: NOW)

    return make


@pytest.mark.parametrize(
    ("private", "algorithm"),
    [(EC, "ES256"), (P384, "ES384"), (RSA, "RS256"), (RSA, "PS512"), (ED, "EdDSA")],
    ids=lambda v: str(v)[-6:],
)
def test_algorithms(verifier, private, algorithm):
    assert verifier(jwk_of(private, kid="k1")).verify(sign(private, algorithm))["sub"] == "alice"
    with pytest.raises(TokenInvalid):
        verifier(jwk_of(private, kid="k1"), algorithms=["RS512"]).verify(sign(private, algorithm))


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://idp.example.net"},
        {"iss": None},
        {"aud": "shop"},
        {"aud": ["shop"]},
        {"aud": None},
        {"exp": NOW - 61},
        {"exp": None},
        {"exp": True},
        {"exp": "2000000000"},
        {"nbf": NOW + 61},
        {"iat": NOW + 61},
        {"nbf": "x"},
    ],
)
def test_claims_that_are_not_valid(verifier, changes):
    with pytest.raises(TokenInvalid):
        verifier().verify(sign(EC, claims={**CLAIMS, **changes}))


@pytest.mark.parametrize(
    "changes", [{"aud": ["shop", "user-admin"]}, {"exp": NOW - 59}, {"exp": NOW + 0.5}, {"nbf": NOW + 59, "iat": NOW}]
)
def test_claims_that_are_valid(verifier, changes):
    assert verifier().verify(sign(EC, claims={**CLAIMS, **changes}))["sub"] == "alice"


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"kid": "k1"},
        {"alg": "ES256", "kid": 1},
        {"alg": "ES256", "kid": "k2"},
        {"alg": "ES256", "crit": []},
        {"alg": "ES256", "typ": "dpop+jwt"},
        {"alg": "ES384", "kid": "k1"},
        '{"alg":"none","alg":"ES256"}',
        "[]",
    ],
)
def test_headers_that_are_not_valid(verifier, header):
    with pytest.raises(TokenInvalid):
        verifier().verify(sign(EC, header=header))


@pytest.mark.parametrize(
    "header", [{"alg": "ES256"}, {"alg": "ES256", "typ": "at+jwt"}, {"alg": "ES256", "typ": "application/AT+JWT"}]
)
def test_headers_that_are_valid(verifier, header):
    assert verifier().verify(sign(EC, header=header))["sub"] == "alice"


def test_tokens_that_are_none(verifier):
    good = sign(EC)
    head, body, signature = good.split(".")
    double = sign(EC, claims='{"sub":"alice","sub":"bob"}')
    for token in (
        "",
        "a.b",
        good + ".",
        good + "A",
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-2]}",
        double,
        "x" * 20_000,
        sign(OTHER),
    ):
        with pytest.raises(TokenInvalid):
            verifier().verify(token)
    # Another spelling of the same signature: the last character has bits that mean nothing.
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".index(signature[-1])
    other = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last ^ 1]
    with pytest.raises(TokenInvalid):
        verifier().verify(f"{head}.{body}.{signature[:-1]}{other}")


@pytest.mark.parametrize(
    "members",
    [{"use": "enc"}, {"key_ops": ["sign"]}, {"alg": "ES384"}, {"d": "x"}, {"crv": "P-384"}, {"x": "AA"}, {"kid": 1}, {"kid": "k2"}],
    ids=str,
)
def test_keys_that_do_not_count(verifier, members):
    made = verifier({**jwk_of(EC, kid="k1"), **members}, jwk_of(OTHER, kid="other"))
    with pytest.raises(TokenInvalid):
        made.verify(sign(EC))


def test_short_keys_and_sets_that_are_none():
    for text in (
        "{}",
        "[]",
        '{"keys":[]}',
        '{"keys":1}',
        json.dumps({"keys": [jwk_of(SHORT)]}),
        json.dumps({"keys": [jwk_of(EC)] * 101}),
    ):
        with pytest.raises(KeySetError):
            parse_key_set(text.encode())


def test_a_file_of_keys_that_changes(tmp_path, monkeypatch, caplog):
    path, clock, reads = tmp_path / "keys.json", [0.0], []
    path.write_text(json.dumps({"keys": [jwk_of(EC, kid="k1")]}))
    keys = identity._File(str(path), lambda: clock[0])
    path.write_text(json.dumps({"keys": [jwk_of(OTHER, kid="k2"), jwk_of(P384)]}))
    clock[0] += 1
    assert len(keys.find("ES256", "k2", 0)) == 1
    parse = identity.parse_key_set
    monkeypatch.setattr(identity, "parse_key_set", lambda data: reads.append(data) or parse(data))
    path.write_text("{")
    for _ in range(10):
        clock[0] += 0.3
        assert len(keys.find("ES256", "k2", 0)) == 1
    assert len(reads) == 2  # not for each request
    assert len(caplog.records) == 1
    path.unlink()
    clock[0] += 1
    assert len(keys.find("ES256", "k2", 0)) == 1


class Issuer(http.server.ThreadingHTTPServer):
    """Serves a key set."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Keys)
        self.keys, self.status, self.fetches = [jwk_of(EC, kid="k1")], 200, 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}/keys"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


class Keys(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.fetches += 1
        self.send_response(self.server.status)
        self.send_header("Location", "/keys")
        self.end_headers()
        self.wfile.write(json.dumps({"keys": self.server.keys}).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def issuer():
    with Issuer() as server:
        yield server
        server.shutdown()


def test_keys_that_are_fetched(issuer):
    clock = [0.0]
    keys = identity._Remote(issuer.url, lambda: clock[0])
    assert len(keys.find("ES256", "k1", 30)) == 1
    with pytest.raises(TokenInvalid):
        keys.find("ES256", "k2", 30)
    assert issuer.fetches == 1  # invented key ids cause no more
    issuer.keys.append(jwk_of(OTHER, kid="k2"))
    clock[0] = 20
    assert len(keys.find("ES256", "k2", 30)) == 1
    assert issuer.fetches == 2
    issuer.status = 500
    clock[0] = 40
    with pytest.raises(KeysUnavailable):  # it may be a new one
        keys.find("ES256", "k3", 30)
    assert len(keys.find("ES256", "k2", 30)) == 1
    clock[0] = 25 * 3600
    with pytest.raises(KeysUnavailable):
        keys.find("ES256", "k2", 30)


@pytest.mark.parametrize("part", ["header", "body"])
def test_keys_that_drip_are_given_up(part, monkeypatch):
    monkeypatch.setattr(identity, "FETCH_TIMEOUT", 0.5)
    server = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def drip():
        stream, _ = server.accept()
        with stream, contextlib.suppress(OSError):
            stream.settimeout(30)
            stream.recv(4096)
            stream.sendall(b"HTTP/1.1 200 OK\r\nX: " + (b"" if part == "header" else b"\r\nContent-Length: 9999\r\n\r\n"))
            while not ended.wait(0.05):
                stream.sendall(b" ")

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    keys = identity._Remote(f"http://127.0.0.1:{server.getsockname()[1]}/keys?p=1")
    with pytest.raises(KeysUnavailable):
        keys.find("ES256", "k1", 20)
    assert keys._running is None  # the fetch has ended, and another may begin
    thread.join(10)
    gone = not thread.is_alive()
    ended.set()
    server.close()
    assert gone


def test_a_fetch_that_cannot_begin_is_tried_again(issuer, monkeypatch):
    clock = [0.0]
    keys = identity._Remote(issuer.url, lambda: clock[0])

    def full(_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", full)
        with pytest.raises(RuntimeError):
            keys.find("ES256", "k1", 30)
    clock[0] = 20
    assert len(keys.find("ES256", "k1", 30)) == 1


def test_redirects_of_keys_are_not_followed(issuer):
    issuer.status = 302
    with pytest.raises(KeysUnavailable):
        identity._Remote(issuer.url).find("ES256", "k1", 30)
    assert issuer.fetches == 1


def test_keys_are_not_waited_for_where_that_would_block(issuer):
    verifier = Verifier(keys=issuer.url, issuer="i", audience="a", algorithms=["ES256"])
    token = sign(EC, claims={"iss": "i", "aud": "a", "exp": time.time() + 60, "sub": "alice"})
    first = verifier.verify_now(token)
    assert first is None or first["sub"] == "alice"
    assert verifier.verify(token, wait=30)["sub"] == "alice"
    assert verifier.verify_now(token)["sub"] == "alice"


@pytest.mark.parametrize("url", ["http://idp.example.org/k", "ftp://x", "https://u@x/k", "file:///etc/passwd", "https://x/#f"])
def test_places_of_keys(url):
    with pytest.raises(ValueError, match="https"):
        Verifier(keys=url, issuer="i", audience="a", algorithms=["ES256"])
