"""`/account`: one's own password and sessions."""

import math
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from core import passwords
from core.errors import DependencyNotReadyError, UsageError
from storage import login_limits, people, sessions
from storage.login_limits import Counted
from web import access
from web.access import access_of
from web.auditing import leave_out, note
from web.forms import Form
from web.problems import Problem, ProblemError
from web.rendering import console_of, page
from web.roles import Person, person_of
from web.routes.login import BUSY_SECONDS

router = APIRouter(include_in_schema=False)

Note = Literal["changed", "ended"]


@router.get("/account")
def show(request: Request, said: Annotated[Note | None, Query(alias="note")] = None) -> HTMLResponse:
    """Who one is here, how to change the password, and where one is logged in."""
    return _page(request, said=said)


@router.post("/account/password")
def change_password(request: Request, form: Form) -> Response:
    """Another password; every other session of theirs ends, and this one goes on under a new id."""
    console, person = console_of(request), person_of(request)
    number, now, checked = _id(person), console.clock.now(), access_of(request).passwords
    counted = [Counted("change", str(number), access_of(request).limits.name)]
    note(request, "password", person.name)
    with console.engine.begin() as connection:
        wait = login_limits.take(connection, counted, now)
        kept = people.password_hash(connection, number)
    if wait is not None:
        leave_out(request)
        return _page(request, problem="login.wait", seconds=math.ceil(wait.total_seconds()), status_code=429)
    old, new = form.get("old", ""), form.get("new", "")
    try:
        is_right, _ = checked.check(old, kept)
        if not is_right:
            return _page(request, problem="account.wrong", status_code=422)
        with console.engine.begin() as connection:
            login_limits.give_back(connection, counted, now)
        if new != form.get("again", ""):
            return _page(request, problem="account.differ", status_code=422)
        if new == old:
            return _page(request, problem="account.same", status_code=422)
        try:
            hashed = checked.hash(passwords.good(new, person.name))
        except UsageError as error:
            return _page(request, problem=f"account.{error.message}", status_code=422)
    except DependencyNotReadyError:
        raise ProblemError(Problem(503, "busy_logins", retry_after_seconds=BUSY_SECONDS)) from None
    with console.engine.begin() as connection:
        people.set_password(connection, number, hashed, must_change=False)
        session_id = sessions.begin(
            connection,
            number,
            now,
            access_of(request).lengths,
            address=access.address_of(request),
            agent=request.headers.get("user-agent", ""),
        )
    answer = RedirectResponse("/account?note=changed", 303)
    access.set_session_cookie(request, answer, session_id)
    return answer


@router.post("/account/sessions/end")
def end_sessions(request: Request, form: Form) -> RedirectResponse:
    """End one of one's sessions, or all the others."""
    number, ours = _id(person_of(request)), access.session_cookie(request) or ""
    with console_of(request).engine.begin() as connection:
        if key := form.get("key"):
            sessions.end_one(connection, number, key)
        else:
            sessions.end_all(connection, number, but=ours)
    note(request, "sessions", person_of(request).name)
    return RedirectResponse("/account?note=ended", 303)


def _page(
    request: Request, *, said: Note | None = None, problem: str = "", seconds: int = 0, status_code: int = 200
) -> HTMLResponse:
    console = console_of(request)
    with console.engine.connect() as connection:
        account = people.one(connection, _id(person_of(request)))
        lasting = sessions.of_person(connection, account.id, console.clock.now(), access_of(request).lengths)
    answer = page(
        request,
        "account.html",
        status_code=status_code,
        account=account,
        sessions=lasting,
        here=sessions.key_of(access.session_cookie(request) or ""),
        said=said,
        problem=problem,
        seconds=seconds,
        least=passwords.LEAST_CHARS,
        most=passwords.MOST_CHARS,
    )
    if status_code == 429:
        answer.headers["Retry-After"] = str(seconds)
    return answer


def _id(person: Person) -> int:
    if person.id is None:
        raise ProblemError(Problem(403, "wrong_role", "a person"))
    return person.id
