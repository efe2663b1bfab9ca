"""The sample application with FastAPI, served by uvicorn."""

import os
from typing import Annotated

import uvicorn
from application import Obligations, address, options, table
from fastapi import Depends, FastAPI, Query, Request
from fastapi.responses import JSONResponse

from wardkeeper_pep import AsyncChecker, AsyncClient, Result
from wardkeeper_pep.asgi import Middleware
from wardkeeper_pep.fastapi import checked

obligations = Obligations()
checker = AsyncChecker(table(), AsyncClient(os.environ["PDP_URL"], **options()), obligations.handlers(obligations.notify_later))

app = FastAPI()
app.add_middleware(Middleware, checker=checker)
Checked = Annotated[Result, Depends(checked)]


@app.get("/done")
def done() -> list[str]:
    return obligations.done()


@app.get("/can/{id}")
async def can(id: str, action: Annotated[list[str], Query()], result: Checked) -> dict[str, bool]:
    return await checker.enforcer.can(action, result.about(id))


@app.api_route("/{path:path}", methods=["GET", "HEAD", "POST", "DELETE"])
async def see(path: str, request: Request, result: Checked):
    if path.endswith("/fails"):
        return JSONResponse("The database is away.", status_code=500)
    if request.method == "POST":
        await request.body()
    return {"method": request.method, "path": "/" + path, "subject": result.subject}


if __name__ == "__main__":
    host, port = address()
    uvicorn.run(app, host=host, port=port, http="h11", access_log=False, log_level="error")
