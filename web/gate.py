"""Where there are accounts: who asks, before any route runs. What is not named open here is closed."""

from typing import Final
from urllib.parse import quote, urlsplit

from fastapi.concurrency import run_in_threadpool
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from storage import api_tokens, sessions
from web import auditing
from web.access import access_of, session_cookie
from web.errors import DATABASE_SECONDS, respond
from web.next_pages import own_page
from web.problems import Problem
from web.rendering import console_of
from web.roles import NOBODY, Person
from web.security import SAFE_METHODS
from web.tokens import CHALLENGE, bearer, person_with

UNASKED: Final = frozenset({"/healthz", "/readyz", "/metrics"})
"""Whoever runs the console asks these; they tell of health and counts, and of nobody's opinion."""
OPEN: Final = frozenset({"/login", "/login/sso", "/login/sso/callback"})
OPEN_UNDER: Final = ("/i/",)  # an incident behind a signed link
STATIC: Final = "/static/"
PUSH: Final = "/api/v1/documents"
BEFORE_CHANGE: Final = frozenset({"/account", "/account/password", "/logout"})
"""All that is open to somebody whose password is a one-time one."""

AWAY: Final = (OperationalError, InterfaceError, PoolTimeoutError)


class Gate:
    """Finds out who asks (`request.state.person`), turns away who may not, and has changes written down."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UNASKED or scope["path"].startswith(STATIC):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        try:
            answer = await run_in_threadpool(admit, request)
        except AWAY:
            answer = respond(request, Problem(503, "database", retry_after_seconds=DATABASE_SECONDS))
        if answer is not None:
            await answer(scope, receive, send)
            return
        if scope["method"] in SAFE_METHODS:
            await self._app(scope, receive, send)
            return

        async def send_and_write(message: Message) -> None:
            if message["type"] == "http.response.start":
                await run_in_threadpool(auditing.write, request, message["status"])
            await send(message)

        await self._app(scope, receive, send_and_write)


def admit(request: Request) -> Response | None:
    """Set who asks; an answer where they may not go on. Blocks."""
    path: str = request.scope["path"]  # the one that is routed by; `request.url` is partly what the client says
    is_api = path.startswith("/api/")
    request.state.person = NOBODY
    if is_api and (token := bearer(request.headers.get("authorization"))) is not None:
        return _admit_program(request, token, path)
    request.state.person = _logged_in(request)
    if request.state.person is NOBODY:
        if path in OPEN or path.startswith(OPEN_UNDER):
            return None
        return _to_login(request, is_api=is_api)
    if request.method not in SAFE_METHODS and not _is_from_a_page(request.headers):
        return respond(request, Problem(403, "cross_origin"))
    if request.state.person.must_change and path not in BEFORE_CHANGE:
        return respond(request, Problem(403, "must_change")) if is_api else RedirectResponse("/account", 303)
    return None


def _admit_program(request: Request, token: str, path: str) -> Response | None:
    with console_of(request).engine.begin() as connection:
        found = api_tokens.check(connection, token)
    if found is None:
        return respond(request, Problem(401, "bad_token", headers=CHALLENGE))
    request.state.token = found
    request.state.person = person_with(found)
    if request.state.person.role is None and (request.method, path) != ("POST", PUSH):
        return respond(request, Problem(403, "wrong_scope", "read"))
    return None


def _logged_in(request: Request) -> Person:
    session_id = session_cookie(request)
    if not session_id:
        return NOBODY
    console = console_of(request)
    with console.engine.begin() as connection:
        found = sessions.find(connection, session_id, console.clock.now(), access_of(request).lengths)
    if found is None:
        return NOBODY
    return Person(found.name, found.role, found.person_id, must_change=found.must_change)


def _is_from_a_page(headers: Headers) -> bool:
    """Who acts by a cookie is a browser, and every browser states where a change comes from; `SameOrigin` has read
    it by now. So an old or odd one that states nothing cannot be used against its owner."""
    return "sec-fetch-site" in headers or "origin" in headers


def _to_login(request: Request, *, is_api: bool) -> Response:
    if is_api:
        return respond(request, Problem(401, "login_needed", headers=CHALLENGE))
    here = quote(request.scope["path"], safe="/") + (f"?{request.url.query}" if request.url.query else "")
    is_part = "hx-request" in request.headers
    if is_part:
        shown = urlsplit(request.headers.get("hx-current-url", ""))
        here = shown.path + (f"?{shown.query}" if shown.query else "")
    elif request.method not in SAFE_METHODS:
        here = "/"
    goal = f"/login?next={quote(own_page(here), safe='/')}" if own_page(here) != "/" else "/login"
    if is_part:  # a redirect would put the login page into the part; htmx goes there instead
        return Response(status_code=401, headers={"HX-Redirect": goal, **CHALLENGE})
    return RedirectResponse(goal, 303)
