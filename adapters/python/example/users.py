"""A user administration of two pages: a list, and a user with buttons for what the person who looks at it may do.

    pip install "wardkeeper-pep" fastapi uvicorn
    wardkeeper serve --directory testdata/directories/sample.yaml
    uvicorn users:app

Sign in as alice, and look at /users/jane. The password is "secret" for everybody: an application of your own knows better.
"""

import base64
import html
import os
import secrets

from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse

from wardkeeper_pep import CONFIRM, Action, AsyncClient, AsyncEnforcer, Entity, Handler, NoAnswer, Refusal, Refused, Search
from wardkeeper_pep.asgi import Middleware
from wardkeeper_pep.fastapi import Protection

pdp = AsyncClient(os.environ.get("PDP_URL", "http://127.0.0.1:8181"), timeout=float(os.environ.get("PDP_TIMEOUT", "1")))
outbox: list[str] = []


async def end_sessions(obligation):
    outbox.append(f"end the sessions of {obligation.properties['subject']}")


def person(request: Request) -> str | None:
    """Return who has signed in."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, password = base64.b64decode(credentials).decode().partition(":")
    except ValueError:
        return None
    return name if secrets.compare_digest(password.encode(), b"secret") else None


def place(request: Request) -> dict[str, str]:
    """Return where the person stands."""
    return {"current_location": request.query_params.get("at", "metro")}


handlers = {"session_termination": Handler(after=end_sessions), CONFIRM: Handler()}
protect = Protection(AsyncEnforcer(pdp, handlers), person, context=place)
app = FastAPI()
app.add_middleware(Middleware)


@app.middleware("http")
async def challenge(request: Request, call_next):
    """Have the browser ask for the name and the password."""
    if person(request) is None:
        return HTMLResponse("Sign in.", 401, {"WWW-Authenticate": 'Basic realm="clinic"'})
    return await call_next(request)


def page(title: str, body: str) -> HTMLResponse:
    return HTMLResponse(f"<!doctype html><title>{html.escape(title)}</title><h1>{html.escape(title)}</h1>{body}")


@app.get("/users")
async def users(request: Request, token: str = ""):
    """Show one page of the users whom the person may view."""
    about = await protect.about(request, Entity("user"))
    try:
        found = await pdp.page_of("resource", Search(about.subject, Action("user.view"), about.resource, about.context, 5, token))
    except NoAnswer:
        raise Refused(Refusal.unavailable()) from None
    rows = "".join(f'<li><a href="/users/{html.escape(hit.id)}">{html.escape(hit.id)}</a></li>' for hit in found.hits)
    more = f'<a href="?token={html.escape(found.next_token)}">more</a>' if found.next_token else ""
    return page("Users", f"<ul>{rows}</ul>{more}")


@app.get("/users/{id}", dependencies=[Depends(protect.may("user.view", "{id}"))])
async def show(id: str, request: Request):
    """Show a user. What the person may not do is greyed out: all is asked in one request."""
    offered = await protect.can(request, ["user.edit", "user.reset_password", "user.deactivate", "user.reactivate"], id)
    buttons = "".join(
        f'<button formaction="/users/{html.escape(id)}/{action}"{"" if permitted else " disabled"}>{action}</button>'
        for action, permitted in offered.items()
    )
    return page(id, f'<form method="post">{buttons}</form>')


@app.post(
    "/users/{id}/user.deactivate",
    dependencies=[Depends(protect.may("user.deactivate", "{id}", confirmed=lambda request: "confirmed" in request.query_params))],
)
async def deactivate(id: str):
    """Deactivate a user."""
    return page(id, "<p>deactivated</p>")


@app.exception_handler(Refused)
async def confirm(request: Request, refused: Refused):
    """Show what has to be confirmed, with a button that sends the request again. The middleware answers other refusals."""
    if refused.refusal.code != "confirmation_required":
        raise refused
    causes = "".join(f"<li>{html.escape(str(o.properties['cause']).replace('_', ' '))}</li>" for o in refused.refusal.confirm)
    answer = page("Go on?", f'<ul>{causes}</ul><form method="post" action="?confirmed=true"><button>Go on</button></form>')
    answer.status_code = 403
    return answer
