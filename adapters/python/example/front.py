"""A front that protects an application that cannot be changed: it lets through what may pass, and tells it who asks.

It is a WSGI application for a server that tells the request target as it was sent, such as gunicorn:

    UPSTREAM=127.0.0.1:9000 PDP_URL=unix:/run/wardkeeper/pdp.sock ROUTES_FILE=routes.yaml gunicorn --threads 32 front:application
"""

import http.client
import os
import re

from wardkeeper_pep import Checker, Client, routes
from wardkeeper_pep.wsgi import Middleware, result_of

UPSTREAM = os.environ["UPSTREAM"]
HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "proxy-connection",
    "proxy-authorization",
}


def forward(environ, start_response):
    """Send a request that may pass to the application, and its answer to the person."""
    told = result_of(environ).fields()
    replaced = {name.lower() for name, _ in told}
    fields = [(name, value) for name, value in fields_of(environ) if name.lower() not in HOP_BY_HOP | replaced] + told
    body, chunked = environ["wsgi.input"], environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked"
    upstream = http.client.HTTPConnection(UPSTREAM, timeout=60)
    try:
        upstream.putrequest(environ["REQUEST_METHOD"], environ["RAW_URI"], skip_host=True, skip_accept_encoding=True)
        for name, value in fields + ([("Transfer-Encoding", "chunked")] if chunked else []):
            upstream.putheader(name, value)
        upstream.endheaders()
        left = int(environ.get("CONTENT_LENGTH") or 0)
        while piece := body.read(64 << 10 if chunked else min(left, 64 << 10)):
            upstream.send(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            left -= len(piece)
        if chunked:
            upstream.send(b"0\r\n\r\n")
        answer = upstream.getresponse()
    except OSError:
        upstream.close()
        start_response("502 Bad Gateway", [("Content-Type", "text/plain")])
        return [b"The application is away."]
    start_response(
        f"{answer.status} {answer.reason}", [(name, value) for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP]
    )
    return parts_of(answer, upstream)


def fields_of(environ):
    for key, value in environ.items():
        if key in ("CONTENT_TYPE", "CONTENT_LENGTH") and value:
            yield key.replace("_", "-").title(), value
        elif re.fullmatch("HTTP_[A-Z0-9_]+", key):
            yield key[len("HTTP_") :].replace("_", "-").title(), value


def parts_of(answer, upstream):
    try:
        while part := answer.read(64 << 10):
            yield part
    finally:
        upstream.close()


# Without handlers, the application is told of its obligations, and does those that the route file names.
checker = Checker(
    routes.load(os.environ["ROUTES_FILE"]), Client(os.environ["PDP_URL"], timeout=float(os.environ.get("PDP_TIMEOUT", "1")))
)
application = Middleware(forward, checker)
