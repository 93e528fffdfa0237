"""`/people`: who may come in, as what, and which programs may; for admins.

A one-time password or a token is on the page that answers the request that made it, and nowhere else.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from core import passwords
from core.errors import GateRefusedError, UsageError
from core.roles import ROLES, Role
from storage import api_tokens, people
from storage.api_tokens import SCOPES
from web.access import access_of
from web.auditing import note
from web.forms import Form
from web.problems import Problem, ProblemError
from web.rendering import console_of, page
from web.roles import Admin
from web.routes.api import LARGEST_ID

router = APIRouter(include_in_schema=False)
Id = Annotated[int, Path(ge=1, le=LARGEST_ID)]


@dataclass(frozen=True, slots=True)
class Made:
    """A secret to be shown this once, and whose it is."""

    kind: str
    name: str
    secret: str


@router.get("/people")
def show(request: Request, admin: Admin) -> HTMLResponse:
    """Everybody, and every token."""
    return _page(request)


@router.post("/people")
def add(request: Request, form: Form, admin: Admin) -> Response:
    """Somebody new; shows the one-time password."""
    role, once = _role(form.get("role", "")), passwords.one_time()
    name = form.get("name", "")
    note(request, "person added", name, role=role)
    try:
        people.checked_name(name)
        hashed = access_of(request).passwords.hash(once)
        with console_of(request).engine.begin() as connection:
            made = people.add(connection, name, role, hashed, by=admin.name)
    except UsageError as error:
        return _page(request, problem=error.message, status_code=422)
    return _page(request, made=Made("password", made.name, once))


@router.post("/people/{person_id}/reset")
def reset(request: Request, person_id: Id, admin: Admin) -> Response:
    """Another one-time password for somebody who has lost theirs."""
    once = passwords.one_time()
    with console_of(request).engine.connect() as connection:
        found = people.one(connection, person_id)
    if not found.has_password:
        raise ProblemError(Problem(409, "not_possible", f"{found.issuer} vouches for them"))
    hashed = access_of(request).passwords.hash(once)
    with console_of(request).engine.begin() as connection:
        people.set_password(connection, person_id, hashed, must_change=True)
    note(request, "password reset", found.name)
    return _page(request, made=Made("password", found.name, once))


@router.post("/people/{person_id}/role")
def change_role(request: Request, person_id: Id, form: Form, admin: Admin) -> Response:
    """What they may do from their next request on."""
    role = _role(form.get("role", ""))
    note(request, "role", str(person_id), role=role)
    try:
        with console_of(request).engine.begin() as connection:
            changed = people.set_role(connection, person_id, role)
    except GateRefusedError:
        return _page(request, problem="last_admin", status_code=409)
    note(request, "role", changed.name, role=role)
    return RedirectResponse("/people", 303)


@router.post("/people/{person_id}/disable")
def disable(request: Request, person_id: Id, admin: Admin) -> Response:
    """They are out at once."""
    note(request, "person disabled", str(person_id))
    try:
        with console_of(request).engine.begin() as connection:
            changed = people.disable(connection, person_id, console_of(request).clock.now())
    except GateRefusedError:
        return _page(request, problem="last_admin", status_code=409)
    note(request, "person disabled", changed.name)
    return RedirectResponse("/people", 303)


@router.post("/people/{person_id}/enable")
def enable(request: Request, person_id: Id, admin: Admin) -> Response:
    """They may come in again."""
    with console_of(request).engine.begin() as connection:
        changed = people.enable(connection, person_id)
    note(request, "person enabled", changed.name)
    return RedirectResponse("/people", 303)


@router.post("/people/tokens")
def make_token(request: Request, form: Form, admin: Admin) -> Response:
    """A token for a program; shows it."""
    scope = next((one for one in SCOPES if one == form.get("scope")), None)
    if scope is None:
        raise ProblemError(Problem(422, "bad_query", "scope"))
    note(request, "token made", form.get("name", ""), scope=scope)
    try:
        name = people.checked_name(form.get("name", ""))
    except UsageError as error:
        return _page(request, problem=error.message, status_code=422)
    with console_of(request).engine.begin() as connection:
        made, secret = api_tokens.create(connection, name, [scope])
    return _page(request, made=Made("token", made.name, secret))


@router.post("/people/tokens/{token_id}/revoke")
def revoke_token(request: Request, token_id: Id, admin: Admin) -> Response:
    """The next request with it is refused."""
    with console_of(request).engine.begin() as connection:
        gone = api_tokens.revoke(connection, token_id)
    note(request, "token revoked", gone.name, id=gone.id)
    return RedirectResponse("/people", 303)


def _page(request: Request, *, made: Made | None = None, problem: str = "", status_code: int = 200) -> HTMLResponse:
    with console_of(request).engine.connect() as connection:
        everybody = people.known(connection)
        tokens = [one for one in api_tokens.known(connection) if one.revoked_at is None]
    return page(
        request,
        "people.html",
        status_code=status_code,
        people=everybody,
        tokens=tokens,
        roles=ROLES,
        scopes=SCOPES,
        made=made,
        problem=problem,
    )


def _role(stated: str) -> Role:
    for role in ROLES:
        if role == stated:
            return role
    raise ProblemError(Problem(422, "bad_query", "role"))
