"""What README.md has a person paste is pasted, and works."""

import importlib.util
import pathlib
import re
import subprocess
import sys

from cryptography.hazmat.primitives.asymmetric import ec
from starlette.testclient import TestClient
from test_clinic import encoded, sign_in

README = (pathlib.Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = {match[1]: match[2] for match in re.finditer(r"```python\n# ([a-z_]+\.py)[^\n]*\n(.*?)```", README, re.DOTALL)}
YAML = re.search(r"```yaml\n(.*?)```", README, re.DOTALL)[1]


def replaced(text, old, new):
    assert old in text
    return text.replace(old, new)


def test_an_asgi_application(sidecar, tmp_path, monkeypatch):
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_numbers()
    x, y = (encoded(n.to_bytes(32, "big")).decode() for n in (public.x, public.y))
    (tmp_path / "jwks.json").write_text('{"keys":[{"kty":"EC","crv":"P-256","kid":"k1","x":"%s","y":"%s"}]}' % (x, y))
    (tmp_path / "routes.yaml").write_text(
        replaced(YAML, "keys: https://idp.example.org/jwks.json", f"keys_file: {tmp_path}/jwks.json")
    )
    program = replaced(BLOCKS["clinic.py"], '"http://127.0.0.1:8181"', f'"{sidecar().url}", timeout=60')
    (tmp_path / "clinic.py").write_text(program)
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location("clinic", tmp_path / "clinic.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    token = sign_in("alice", "", [key], location="metro")
    with TestClient(module.app, headers={"Authorization": f"Bearer {token}"}) as client:
        answer = client.get("/users/jane")
        assert answer.json() == {"person": "alice", "user": "jane", "can": {"user.edit": True, "user.reactivate": False}}
        assert client.get("/users/lucy").status_code == 403
        assert client.get("/elsewhere").status_code == 403
        assert client.get("/users/jane", headers={"Authorization": ""}).status_code == 401


def test_an_asgi_application_without_an_identity_provider(sidecar, tmp_path, monkeypatch):
    (tmp_path / "routes.yaml").write_text(YAML)
    (tmp_path / "anybody.py").write_text(BLOCKS["anybody.py"])
    program = replaced(BLOCKS["clinic.py"], '"http://127.0.0.1:8181"', f'"{sidecar().url}", timeout=60')
    (tmp_path / "clinic.py").write_text(
        "from anybody import Anybody\n" + replaced(program, "Handler()})", "Handler()}, Anybody())")
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    spec = importlib.util.spec_from_file_location("clinic", tmp_path / "clinic.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    person, path = re.search(
        r"curl -H 'Authorization: Bearer (\w+)' http://127.0.0.1:8000(/\S+)` is 200, and as `tom` 403", README
    ).groups()
    with TestClient(module.app) as client:
        assert client.get(path, headers={"Authorization": f"Bearer {person}"}).json()["person"] == "alice"
        refused = client.get(path, headers={"Authorization": "Bearer tom"})
        assert (refused.status_code, bool(refused.json()["reasons"])) == (403, True)


# What `django-admin startproject` writes.
STARTED = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

CONFTEST = """
import django
from django.conf import settings

settings.configure(MIDDLEWARE={middleware}, WARDKEEPER={wardkeeper}, SECRET_KEY="for tests alone",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.messages", "django.contrib.sessions"],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies")
django.setup()

def person(request):
    return "alice"
"""


def test_a_django_application(tmp_path):
    said = {"MIDDLEWARE": list(STARTED)}
    exec(BLOCKS["settings.py"], said)
    conftest = CONFTEST.format(middleware=said["MIDDLEWARE"], wardkeeper=said["WARDKEEPER"])
    (tmp_path / "conftest.py").write_text(conftest)
    for name in ("views.py", "obligations.py", "test_views.py"):
        (tmp_path / name).write_text(BLOCKS[name])
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    program = (
        "import conftest; from wardkeeper_pep.django import configured; print(sorted(configured().enforcer.supported_obligations))"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ran.stdout == "['custom', 'notification']\n", ran.stderr


# A project as `django-admin startproject` makes it, with what README.md adds.
SITE = """
import sys

import django
from django.conf import settings
from settings import MIDDLEWARE, WARDKEEPER

WARDKEEPER["URL"], WARDKEEPER["TIMEOUT"] = sys.argv[1], 60
settings.configure(MIDDLEWARE=MIDDLEWARE, SECRET_KEY="for tests alone", ROOT_URLCONF="urls", ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.messages", "django.contrib.sessions"],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies")
django.setup()
from django.test import Client, override_settings

with override_settings(WARDKEEPER={**WARDKEEPER, "PERSON": "views.alice"}):
    answer = Client().get("/users/jane")
    assert (answer.status_code, answer.json()["user"]) == (200, "jane"), answer.content
with override_settings(WARDKEEPER={**WARDKEEPER, "ROUTES": "routes.json"}):
    assert Client().get("/open").status_code == 400
    assert Client(headers={"host": "testserver"}).get("/open").status_code == 404
with override_settings(WARDKEEPER=WARDKEEPER):
    assert Client().get("/users/jane").status_code == 401
print("done")
"""


def test_a_django_site_where_nobody_signs_in(sidecar, tmp_path):
    (tmp_path / "settings.py").write_text(f"MIDDLEWARE = {STARTED}\n" + BLOCKS["settings.py"])
    (tmp_path / "obligations.py").write_text(BLOCKS["obligations.py"])
    alice = re.search(r"where `views.py` has `(def alice[^`]+)`", README)[1]
    (tmp_path / "views.py").write_text(BLOCKS["views.py"] + f"\n\n{alice}\n")
    route = re.search(r"With `(path\([^`]+\))` in `urls.py`", README)[1]
    (tmp_path / "urls.py").write_text(f"from django.urls import path\nfrom views import show\n\nurlpatterns = [{route}]\n")
    (tmp_path / "routes.json").write_text('{"version": 1, "routes": [{"path": "/open", "methods": ["GET"], "public": true}]}')
    assert '`"PERSON": "views.alice"`' in README
    assert '`Client(headers={"host": "testserver"})`' in README
    (tmp_path / "site_of_test.py").write_text(SITE)
    command = [sys.executable, "site_of_test.py", sidecar().url]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ran.stdout == "done\n", ran.stderr


def test_nothing_is_left_out():
    assert set(BLOCKS) == {"clinic.py", "anybody.py", "settings.py", "views.py", "obligations.py", "test_views.py"}
