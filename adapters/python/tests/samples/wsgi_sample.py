"""The sample application with the WSGI middleware, served by gunicorn."""

import json
import os
from urllib.parse import parse_qs

from application import Obligations, options, serve, table

from wardkeeper_pep import Checker, Client
from wardkeeper_pep.wsgi import Middleware, result_of

obligations = Obligations()
checker = Checker(table(), Client(os.environ["PDP_URL"], **options()), obligations.handlers())


def application(environ, start_response):
    path, result = environ["PATH_INFO"].encode("latin-1").decode(), result_of(environ)
    if path == "/done":
        answer = obligations.done()
    elif path.startswith("/can/"):
        actions = parse_qs(environ["QUERY_STRING"])["action"]
        answer = checker.enforcer.can(actions, result.about(path.removeprefix("/can/")))
    elif path.endswith("/fails"):
        start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
        return [b"The database is away."]
    else:
        answer = {"method": environ["REQUEST_METHOD"], "path": path, "subject": result.subject}
    body = json.dumps(answer).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


if __name__ == "__main__":
    serve(lambda: Middleware(application, checker))
