"""The sample application with the ASGI middleware, served by uvicorn."""

import json
import os
from urllib.parse import parse_qs

import uvicorn
from application import Obligations, address, options, table

from wardkeeper_pep import AsyncChecker, AsyncClient
from wardkeeper_pep.asgi import Middleware, result_of

obligations = Obligations()
checker = AsyncChecker(table(), AsyncClient(os.environ["PDP_URL"], **options()), obligations.handlers(obligations.notify_later))


async def application(scope, receive, send):
    path, result, status = scope["path"], result_of(scope), 200
    if path == "/done":
        answer = obligations.done()
    elif path.startswith("/can/"):
        actions = parse_qs(scope["query_string"].decode())["action"]
        answer = await checker.enforcer.can(actions, result.about(path.removeprefix("/can/")))
    elif path.endswith("/fails"):
        status, answer = 500, "The database is away."
    else:
        answer = {"method": scope["method"], "path": path, "subject": result.subject}
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})


if __name__ == "__main__":
    host, port = address()
    protected = Middleware(application, checker)
    uvicorn.run(protected, host=host, port=port, http="h11", lifespan="off", access_log=False, log_level="error")
