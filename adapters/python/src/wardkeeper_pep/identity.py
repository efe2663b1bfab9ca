"""Verifies JSON Web Tokens with the public keys of their issuer (PEP-13).

It needs the package `cryptography`: `pip install "wardkeeper-pep[jwt]"`. The standard library cannot verify signatures.
"""

from __future__ import annotations

import base64
import binascii
import logging
import os
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Union
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from . import _http, _json
from .client import Resolver, connect
from .errors import KeysUnavailable, TokenInvalid
from .routes import Jwt, is_keys_url
from .routes._parse import ALGORITHMS

_log = logging.getLogger("wardkeeper_pep")

MAX_TOKEN = 16 << 10  # bytes
MAX_KEY_SET = 256 << 10  # bytes
MAX_KEYS = 100
MIN_RSA = 2048  # bits

REFRESH_AFTER = 600.0  # seconds: older keys are fetched again, and used meanwhile
FORGET_AFTER = 24 * 3600.0  # older keys are no longer used
RETRY_AFTER = 15.0  # the least time between fetches, whatever key ids tokens name
FETCH_TIMEOUT = 5.0  # from before connecting to the end of the answer
MAX_WAIT = 1.0  # for a fetch in progress
LOOK_AGAIN = 1.0  # between two looks at a file

PublicKey = Union[rsa.RSAPublicKey, ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey]


@dataclass(frozen=True)
class Key:
    """A public key of a set. The id and the algorithm are empty if the set does not say."""

    id: str
    algorithm: str
    public: PublicKey


class Verifier:
    """Verifies tokens. It can be used by several threads at the same time.

    Args:
        keys: the URL of the JSON Web Key Set: https, or http of this machine.
        keys_file: a file with the set, in place of a URL. It is read again when it changes.
        issuer: the required value of `iss`.
        audience: the required value of `aud`, or one of its values.
        algorithms: those that are accepted, such as `ES256`.
        leeway: seconds by which clocks may differ.
    """

    def __init__(
        self,
        *,
        keys: str = "",
        keys_file: str = "",
        issuer: str,
        audience: str,
        algorithms: Sequence[str],
        leeway: float = 60.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        if not issuer or not audience or not algorithms or bool(keys) == bool(keys_file):
            raise ValueError("the issuer, the audience, the algorithms and either the URL or the file of the keys are required")
        for algorithm in algorithms:
            if algorithm not in ALGORITHMS:
                raise ValueError(f'the algorithm "{algorithm}" is not accepted: use {", ".join(ALGORITHMS)}')
        self._issuer, self._audience, self._algorithms = issuer, audience, tuple(algorithms)
        self._leeway, self._now = leeway, now
        self._keys: _File | _Remote = _File(keys_file) if keys_file else _Remote(keys)

    @classmethod
    def of(cls, jwt: Jwt) -> Verifier:
        """Return a verifier of the tokens that a route file names."""
        return cls(keys=jwt.keys, keys_file=jwt.keys_file, issuer=jwt.issuer, audience=jwt.audience, algorithms=jwt.algorithms)

    def verify(self, token: str, wait: float = MAX_WAIT) -> dict[str, Any]:
        """Return the claims of a token whose signature, issuer, audience and times are right.

        It waits for keys that are being fetched, at most `wait` seconds.

        Raises:
            TokenInvalid: if it is not valid.
            KeysUnavailable: if that cannot be found out now.
        """
        if len(token) > MAX_TOKEN:
            raise TokenInvalid("the token is too long")
        parts = token.split(".")
        if len(parts) != 3:
            raise TokenInvalid("the token does not have three parts")
        algorithm, key_id = _header(parts[0])
        if algorithm not in self._algorithms:
            raise TokenInvalid("the algorithm of the token is not accepted")
        candidates = self._keys.find(algorithm, key_id, wait)
        signed, signature = f"{parts[0]}.{parts[1]}".encode("ascii", "replace"), _decode(parts[2])
        if not any(_is_signed(key.public, algorithm, signed, signature) for key in candidates):
            raise TokenInvalid("the signature of the token is not valid")
        return self._claims(parts[1])

    def verify_now(self, token: str) -> dict[str, Any] | None:
        """Do the same as `verify`, without waiting for keys. It is `None` while they are being fetched."""
        try:
            return self.verify(token, wait=0)
        except _KeysAwaited:
            return None

    def _claims(self, part: str) -> dict[str, Any]:
        claims = _object(part)
        if claims is None:
            raise TokenInvalid("the claims of the token are malformed")
        if claims.get("iss") != self._issuer:
            raise TokenInvalid("the token is from another issuer")
        audiences = claims.get("aud")
        if self._audience not in (audiences if isinstance(audiences, list) else [audiences]):
            raise TokenInvalid("the token is for another audience")
        now, expires = self._now(), _date(claims.get("exp"))
        if expires is None:
            raise TokenInvalid("the token does not expire")
        if now >= expires + self._leeway:
            raise TokenInvalid("the token has expired")
        for name in ("nbf", "iat"):
            if claims.get(name) is None:
                continue
            begins = _date(claims[name])
            if begins is None or now + self._leeway < begins:
                raise TokenInvalid("the token is not valid yet")
        return claims


def _header(part: str) -> tuple[str, str]:
    """Return the algorithm and the key id. Keys, and URLs of keys, in the header are ignored: the sender has chosen them."""
    header = _object(part)
    if header is None:
        raise TokenInvalid("the header of the token is malformed")
    if "crit" in header:
        raise TokenInvalid("the token has an extension that is not known")
    key_id, kind, algorithm = header.get("kid", ""), header.get("typ", "JWT"), header.get("alg")
    if not isinstance(key_id, str):
        raise TokenInvalid("the header of the token is malformed")
    kind = kind.lower() if isinstance(kind, str) else ""
    if kind != "jwt" and kind.removeprefix("application/") != "at+jwt":
        raise TokenInvalid("the token is not an access token")
    return algorithm if isinstance(algorithm, str) else "", key_id


def _decode(part: str) -> bytes:
    try:
        data = base64.urlsafe_b64decode(part.encode("ascii") + b"=" * (-len(part) % 4))
    except (binascii.Error, UnicodeEncodeError):
        raise TokenInvalid("the token is malformed") from None
    if base64.urlsafe_b64encode(data).rstrip(b"=") != part.encode("ascii"):  # another spelling of the same
        raise TokenInvalid("the token is malformed")
    return data


def _object(part: str) -> dict[str, Any] | None:
    """Decode a part of a token as strictly as a question."""
    try:
        return _json.parse_object(_decode(part))
    except (_json.MalformedJSON, TokenInvalid):
        return None


def _date(value: Any) -> float | None:
    """Read seconds since 1970."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > 1 << 40:
        return None
    return float(value)


_HASHES: Mapping[str, Callable[[], hashes.HashAlgorithm]] = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
_CURVES = {"ES256": ("secp256r1", 32), "ES384": ("secp384r1", 48), "ES512": ("secp521r1", 66)}


def _fits(public: PublicKey, algorithm: str) -> bool:
    """Tell whether a key has the type and the curve that an algorithm needs."""
    if isinstance(public, rsa.RSAPublicKey):
        return algorithm[:2] in ("RS", "PS")
    if isinstance(public, ec.EllipticCurvePublicKey):
        return algorithm in _CURVES and public.curve.name == _CURVES[algorithm][0]
    return algorithm == "EdDSA"


def _is_signed(public: PublicKey, algorithm: str, signed: bytes, signature: bytes) -> bool:
    try:
        if isinstance(public, ed25519.Ed25519PublicKey):
            public.verify(signature, signed)
            return True
        digest = _HASHES[algorithm[2:]]()
        if isinstance(public, ec.EllipticCurvePublicKey):
            size = _CURVES[algorithm][1]
            if len(signature) != 2 * size:
                return False
            r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
            public.verify(encode_dss_signature(r, s), signed, ec.ECDSA(digest))
        elif algorithm.startswith("PS"):
            public.verify(signature, signed, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        else:
            public.verify(signature, signed, padding.PKCS1v15(), digest)
        return True
    except InvalidSignature:
        return False


class KeySetError(ValueError):
    """A key set cannot be used."""


def parse_key_set(data: bytes) -> list[Key]:
    """Read a JSON Web Key Set, and keep the public keys that can verify signatures.

    Keys of types that are not known are skipped: issuers add new ones.
    """
    try:
        entries = _json.parse_object(data).get("keys")
    except _json.MalformedJSON:
        entries = None
    if not isinstance(entries, list):
        raise KeySetError("it is not a JSON Web Key Set")
    if len(entries) > MAX_KEYS:
        raise KeySetError(f"it has more than {MAX_KEYS} keys")
    keys = []
    for entry in entries:
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
            continue
        operations = entry.get("key_ops", ["verify"])
        if not isinstance(operations, list) or "verify" not in operations:
            continue
        id_, algorithm = entry.get("kid", ""), entry.get("alg", "")
        if not isinstance(id_, str) or not isinstance(algorithm, str):
            continue
        try:
            public = _public(entry)
        except (ValueError, TypeError, KeyError, TokenInvalid):
            continue
        if public is not None:
            keys.append(Key(id_, algorithm, public))
    if not keys:
        raise KeySetError("it has no public key that can verify a signature")
    return keys


def _public(entry: Mapping[str, Any]) -> PublicKey | None:
    """Return a key. A private or symmetric one, which an issuer must not publish, and a short one are none."""
    if any(name in entry for name in ("d", "k", "p", "q")):
        return None
    if entry.get("kty") == "RSA":
        public = rsa.RSAPublicNumbers(_number(entry["e"]), _number(entry["n"])).public_key()
        return public if public.key_size >= MIN_RSA else None
    if entry.get("kty") == "EC":
        curves: dict[str, Callable[[], ec.EllipticCurve]] = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1}
        return ec.EllipticCurvePublicNumbers(_number(entry["x"]), _number(entry["y"]), curves[entry["crv"]]()).public_key()
    if entry.get("kty") == "OKP" and entry.get("crv") == "Ed25519":
        return ed25519.Ed25519PublicKey.from_public_bytes(_decode(entry["x"]))
    return None


def _number(text: str) -> int:
    return int.from_bytes(_decode(text), "big")


def _matching(keys: Sequence[Key], algorithm: str, key_id: str) -> list[Key]:
    """Return the keys that may have made a signature."""
    return [
        key
        for key in keys
        if (not key_id or key.id == key_id) and key.algorithm in ("", algorithm) and _fits(key.public, algorithm)
    ]


class _KeysAwaited(KeysUnavailable):
    """The keys are still being fetched."""


_NO_KEY = "the issuer has no such key as the token names"


class _File:
    """A key set in a file, which is read again when it has changed. If a new one cannot be used, the last good one is."""

    def __init__(self, path: str, now: Callable[[], float] = time.monotonic) -> None:
        self._path, self._now = path, now
        self._lock = threading.Lock()  # guards what follows
        self._looked = now()
        self._state = _state_of(path)
        self._keys = self._read()
        self._problem = ""  # with the file as it is

    def find(self, algorithm: str, key_id: str, _: float) -> list[Key]:
        with self._lock:
            if self._now() - self._looked >= LOOK_AGAIN:  # requests cannot cause more, whatever the file is like
                self._looked = self._now()
                self._look()
            found = _matching(self._keys, algorithm, key_id)
        if not found:
            raise TokenInvalid(_NO_KEY)
        return found

    def _look(self) -> None:
        problem = ""
        try:
            state = _state_of(self._path)
            if state != self._state:
                self._keys = self._read()
                self._state = state
        except (OSError, KeySetError) as error:
            problem = type(error).__name__
        if problem and problem != self._problem:
            _log.warning("the file of the issuer's keys cannot be used, the last one is: %s", problem)
        self._problem = problem

    def _read(self) -> list[Key]:
        with open(self._path, "rb") as file:
            data = file.read(MAX_KEY_SET + 1)
        if len(data) > MAX_KEY_SET:
            raise KeySetError(f"the key set is larger than {MAX_KEY_SET} bytes")
        return parse_key_set(data)


def _state_of(path: str) -> tuple[int, ...]:
    status = os.stat(path)
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


class _Answer(_http.Answer):
    """The answer of a server of keys, of any type."""

    def _check(self, fields: dict[str, list[str]]) -> None:
        if "content-encoding" in fields:
            raise KeySetError("it is encoded, which was not asked for")


class _Remote:
    """A key set that is fetched, at most once in `RETRY_AFTER`: tokens with invented key ids cannot cause more.

    All trust rests on the keys, so they come from the configured URL alone: neither redirects are followed nor proxies used.
    """

    def __init__(self, url: str, now: Callable[[], float] = time.monotonic) -> None:
        if not is_keys_url(url):
            raise ValueError("the URL of the keys is not one of https (or of http at this machine)")
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        self._address = _http.Address(parts.hostname or "", parts.port or (443 if tls else 80), "", tls, parts.netloc, "")
        self._path = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        self._tls = ssl.create_default_context() if tls else None
        self._resolver = Resolver()
        self._now = now
        self._lock = threading.Lock()  # guards what follows
        self._keys: list[Key] | None = None
        self._fetched = 0.0  # when the last successful fetch ended
        self._tried: float | None = None  # when the last fetch began
        self._failed = False  # whether the last fetch that ended has failed
        self._running: threading.Event | None = None  # set when the fetch in progress ends

    def find(self, algorithm: str, key_id: str, wait: float) -> list[Key]:
        with self._lock:
            found = _matching(self._usable() or [], algorithm, key_id)
            if not found or self._now() - self._fetched > REFRESH_AFTER:
                self._start()
            running = self._running
        if found:
            return found
        if running is not None and not running.wait(wait):
            raise _KeysAwaited
        with self._lock:
            keys = self._usable()
            found = _matching(keys or [], algorithm, key_id)
            if found:
                return found
            # While the keys cannot be fetched, the missing one may be a new one of the issuer.
            if keys is None or self._failed:
                raise KeysUnavailable
        raise TokenInvalid(_NO_KEY)

    def _usable(self) -> list[Key] | None:
        return self._keys if self._keys is not None and self._now() - self._fetched <= FORGET_AFTER else None

    def _start(self) -> None:
        """Start a fetch, unless one is in progress or was tried recently. It outlives the request: others wait for it too."""
        now = self._now()
        if self._running is not None or (self._tried is not None and now - self._tried < RETRY_AFTER):
            return
        self._tried = now
        running = threading.Event()
        threading.Thread(target=self._run, args=(running,), daemon=True).start()  # it may fail; the end of the fetch needs the lock
        self._running = running

    def _run(self, ended: threading.Event) -> None:
        keys: list[Key] | None = None
        try:
            keys = self._fetch()
        except Exception as error:
            _log.warning("the issuer's keys cannot be fetched: %s", type(error).__name__)
        with self._lock:
            self._failed = keys is None
            if keys is not None:
                self._keys, self._fetched = keys, self._now()
            self._running = None
        ended.set()

    def _fetch(self) -> list[Key]:
        deadline = time.monotonic() + FETCH_TIMEOUT
        fields = {"Accept": "application/jwk-set+json, application/json", "Connection": "close"}
        text = _http.request_text(self._address, "GET", self._path, fields, b"")
        answer = _Answer("", MAX_KEY_SET)
        connection = connect(self._address, self._tls, self._resolver, deadline)
        try:
            connection.exchange(text, answer, deadline)
        finally:
            connection.close()
        return parse_key_set(answer.body)
