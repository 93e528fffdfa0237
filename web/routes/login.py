"""`/login` and `/logout`, by password or by another server that vouches for people."""

import math
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from core.errors import DependencyNotReadyError
from storage import people, sessions
from storage.people import Account
from web import access
from web.access import Refused, access_of
from web.auditing import leave_out, note, write
from web.forms import Form
from web.next_pages import own_page
from web.problems import Problem, ProblemError
from web.rendering import console_of, page
from web.roles import NOBODY, person_of
from web.single_sign_on import COOKIE as SSO_COOKIE
from web.single_sign_on import COOKIE_PATH, SignOnError

BUSY_SECONDS: Final = 5

router = APIRouter(include_in_schema=False)


@router.get("/login")
def show(request: Request, next: str | None = None) -> Response:  # as the query string has it
    """The form; somebody who is logged in goes on."""
    if person_of(request) is not NOBODY:
        return RedirectResponse(own_page(next), 303)
    return _form(request, own_page(next))


@router.post("/login")
def log_in(request: Request, form: Form) -> Response:
    """Begin a session. 401 where name and password are not somebody's, 429 where too much was tried."""
    console, name = console_of(request), form.get("name", "")
    now = console.clock.now()
    device = access.known_device(request, name, now)
    try:
        judged = access.judge(
            console.engine,
            access_of(request),
            name,
            form.get("password", ""),
            now,
            address=access.address_of(request),
            is_known=device is not None,
            device=device or "",
        )
    except DependencyNotReadyError:
        leave_out(request)
        raise ProblemError(Problem(503, "busy_logins", retry_after_seconds=BUSY_SECONDS)) from None
    goal = own_page(form.get("next"))
    if isinstance(judged, Refused):
        if judged.wait is not None:
            leave_out(request)  # whoever floods us does not fill the log as well; what led here stands in it
            seconds = math.ceil(judged.wait.total_seconds())
            answer = _form(request, goal, problem="login.wait", seconds=seconds, name=name, status_code=429)
            answer.headers["Retry-After"] = str(seconds)
            return answer
        # An unknown name may be a password that went into the wrong field.
        note(request, "login", judged.account.name if judged.account else "", who="", is_refused=True, by="password")
        return _form(request, goal, problem="login.wrong", name=name, status_code=401)
    note(request, "login", judged.name, who=judged.name, by="password")
    return begun(request, judged, goal)


@router.post("/logout")
def log_out(request: Request) -> RedirectResponse:
    """End this session."""
    if session_id := access.session_cookie(request):
        with console_of(request).engine.begin() as connection:
            sessions.end(connection, session_id)
    note(request, "logout")
    answer = RedirectResponse("/login", 303)
    access.drop_session_cookie(request, answer)
    return answer


@router.get("/login/sso")
def go_to_provider(request: Request, next: str | None = None) -> Response:
    """On to the server that vouches for people; what it answers comes to `/login/sso/callback`."""
    provider, secret = access_of(request).sign_on, request.app.state.signing_secret
    if provider is None or secret is None:
        raise ProblemError(Problem(404, "not_found"))
    try:
        started = provider.start(_callback(request), secret, own_page(next), console_of(request).clock.now())
    except SignOnError as error:
        return _form(request, own_page(next), problem="login.sso.failed", why=error.reason, status_code=502)
    answer = RedirectResponse(started.url, 303)
    answer.set_cookie(
        SSO_COOKIE,
        started.cookie,
        max_age=started.seconds,
        httponly=True,
        samesite="lax",
        secure=access.is_secure(request),
        path=COOKIE_PATH,
    )
    return answer


@router.get("/login/sso/callback")
def come_back(request: Request) -> Response:
    """The provider sends somebody back: believed if this browser left from here and every signature is right.

    A GET that begins a session, so it writes its own line of the audit log.
    """
    provider, secret = access_of(request).sign_on, request.app.state.signing_secret
    if provider is None or secret is None:
        raise ProblemError(Problem(404, "not_found"))
    console = console_of(request)
    now = console.clock.now()
    try:
        found = provider.finish(
            dict(request.query_params), request.cookies.get(SSO_COOKIE, ""), _callback(request), secret, now
        )
    except SignOnError as error:
        note(request, "login", who="", is_refused=True, by=provider.options.issuer, why=error.reason)
        write(request, 401)
        return _form(request, "/", problem="login.sso.failed", why=error.reason, status_code=401)
    with console.engine.begin() as connection:
        account = people.vouched_for(connection, found.who, found.name, found.role)
        if found.is_role_theirs and account.role != found.role:
            account = people.set_role(connection, account.id, found.role, keeps_an_admin=False)  # theirs to say
        if account.disabled_at is None:
            people.note_login(connection, account.id, now)
    is_out = account.disabled_at is not None
    note(request, "login", account.name, who="" if is_out else account.name, is_refused=is_out, by=found.who.issuer)
    write(request, 401 if is_out else 303)
    if is_out:
        return _form(request, "/", problem="login.sso.failed", why="disabled", status_code=401)
    answer = begun(request, account, found.goal)
    answer.delete_cookie(SSO_COOKIE, path=COOKIE_PATH, httponly=True, samesite="lax")
    return answer


def begun(request: Request, account: Account, goal: str) -> Response:
    """A new session for somebody who has proved who they are; the one that this browser held ends."""
    console = console_of(request)
    now = console.clock.now()
    with console.engine.begin() as connection:
        if old := access.session_cookie(request):
            sessions.end(connection, old)
        session_id = sessions.begin(
            connection,
            account.id,
            now,
            access_of(request).lengths,
            address=access.address_of(request),
            agent=request.headers.get("user-agent", ""),
        )
    answer = RedirectResponse("/account" if account.must_change else goal, 303)
    access.set_session_cookie(request, answer, session_id)
    access.set_device_cookie(request, answer, account.name, now)
    return answer


def _callback(request: Request) -> str:
    return str(request.url_for("come_back"))


def _form(
    request: Request,
    goal: str,
    *,
    problem: str = "",
    why: str = "",
    seconds: int = 0,
    name: str = "",
    status_code: int = 200,
) -> HTMLResponse:
    return page(
        request,
        "login.html",
        status_code=status_code,
        goal=goal,
        problem=problem,
        why=why,
        seconds=seconds,
        person_name=name[: people.MAX_NAME_CHARS],
        sign_on=access_of(request).sign_on,
    )
