"""What the sample applications of the acceptance suite share (adapters/CONTRACT.md, "The sample application")."""

import logging
import os
import sys
import threading

from wardkeeper_pep import CONFIRM, Handler, routes

sys.stdout.reconfigure(line_buffering=True)
logging.basicConfig(level=logging.INFO, stream=sys.stderr)


def environment(name):
    return os.environ.get(name) or None


def token():
    with open(os.environ["PDP_TOKEN_FILE"], encoding="ascii") as file:
        return file.read().strip()


def options():
    """Return the settings of a client."""
    found = {"token": token, "ca_file": environment("PDP_CA_FILE")}
    if "PDP_TIMEOUT" in os.environ:
        found["timeout"] = float(os.environ["PDP_TIMEOUT"])
    return found


def table():
    return routes.load(os.environ["ROUTES_FILE"])


def address():
    host, _, port = os.environ["LISTEN_ADDR"].rpartition(":")
    return host, int(port)


class Obligations:
    """Does obligations, and records them."""

    def __init__(self):
        self._lock = threading.Lock()
        self._done = []

    def can_notify(self, obligation):
        if obligation.properties.get("channel") == "fault":
            raise RuntimeError(obligation.properties.get("to"))
        return obligation.properties.get("channel") == "email"

    def notify(self, obligation):
        with self._lock:
            self._done.append(obligation.id)

    async def notify_later(self, obligation):
        self.notify(obligation)

    def done(self):
        with self._lock:
            return list(self._done)

    def handlers(self, notify=None):
        return {"notification": Handler(can=self.can_notify, after=notify or self.notify), CONFIRM: Handler()}


def serve(load):
    """Serve a WSGI application with gunicorn."""
    from gunicorn.app.base import BaseApplication

    class Server(BaseApplication):
        def load_config(self):
            self.cfg.set("bind", "{}:{}".format(*address()))
            self.cfg.set("worker_class", "gthread")
            self.cfg.set("threads", 128)
            self.cfg.set("loglevel", "error")
            # By default, gunicorn drops fields whose names have underscores. The suite sees that the middleware refuses them, as far
            # as it can know of them.
            self.cfg.set("header_map", environment("HEADER_MAP") or "dangerous")

        def load(self):
            return load()

    Server().run()
