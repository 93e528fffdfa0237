"""Where there are accounts: who asks, before any route runs. What is not named open here is closed."""

import asyncio
from typing import Final
from urllib.parse import quote, urlsplit

from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Connection, Engine
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

RECHECK_SECONDS: Final = 30.0
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
            watch = AdmittedReceive(receive, request)
            try:
                await self._app(scope, watch, send)
            finally:
                watch.end()
            return

        async def send_and_write(message: Message) -> None:
            if message["type"] == "http.response.start":
                await run_in_threadpool(auditing.write, request, message["status"])
            await send(message)

        await self._app(scope, receive, send_and_write)


class AdmittedReceive:
    """For streams, which outlive their admission: to the route it looks as if the reader had gone as soon as they may
    no longer be here."""

    def __init__(self, receive: Receive, request: Request) -> None:
        self._receive = receive
        self._request = request
        self._next: asyncio.Task[Message] | None = None

    async def __call__(self) -> Message:
        if self._next is None:
            self._next = asyncio.ensure_future(self._receive())
        while True:
            done, _ = await asyncio.wait({self._next}, timeout=RECHECK_SECONDS)
            if done:
                message, self._next = self._next.result(), None
                return message
            if not await run_in_threadpool(is_still_in, self._request):
                return {"type": "http.disconnect"}

    def end(self) -> None:
        """The answer is given."""
        if self._next is not None:
            self._next.cancel()


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
    with _asking(console_of(request).engine) as connection:
        found = api_tokens.check(connection, token)
    if found is None:
        return respond(request, Problem(401, "bad_token", headers=CHALLENGE))
    request.state.token = found
    request.state.person = person_with(found)
    if request.state.person.role is None and (request.method, path) != ("POST", PUSH):
        return respond(request, Problem(403, "wrong_scope", "read"))
    return None


def is_still_in(request: Request) -> bool:
    """Whether who was admitted would still be, with the same role. Blocks. While the database is away, yes."""
    try:
        token = bearer(request.headers.get("authorization"))
        if getattr(request.state, "token", None) is None or token is None:
            return bool(_logged_in(request, is_seen=False) == request.state.person)
        with _asking(console_of(request).engine) as connection:
            return api_tokens.check(connection, token) is not None
    except AWAY:
        return True


def _logged_in(request: Request, *, is_seen: bool = True) -> Person:
    session_id = session_cookie(request)
    if not session_id:
        return NOBODY
    console = console_of(request)
    with _asking(console.engine) as connection:
        lengths = access_of(request).lengths
        found = sessions.find(connection, session_id, console.clock.now(), lengths, is_seen=is_seen)
    if found is None:
        return NOBODY
    return Person(found.name, found.role, found.person_id, must_change=found.must_change)


def _asking(engine: Engine) -> Connection:
    """For one statement, on every request: without the two round trips of a transaction."""
    return engine.connect().execution_options(isolation_level="AUTOCOMMIT")


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
