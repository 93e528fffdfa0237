"""What keeps the console safe in a browser: headers, own hosts only, own pages only."""

import re
from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.errors import respond
from web.problems import Problem

# Strict, because addresses are put together of it: `localhost/login` before a path would read as another path.
HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# Crawled text is on every page: even if some slipped through the templates' escaping, nothing foreign may run.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: browsers then send `Origin: null` with our own forms, and without https nothing else tells
    # them from another site's (Fetch, "append a request Origin header").
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class SecurityHeaders:
    """Adds `HEADERS` to every response; pages are not kept by caches, because they hold data."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_static = scope["path"].startswith("/static/")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)  # a report brings its own, stricter policy
                headers["Cache-Control"] = "no-cache" if is_static else "no-store"
            await send(message)

        await self._app(scope, receive, send_with_headers)


class OwnHosts:
    """Answers only under names that are ours, and under addresses: a site whose name resolves to this machine would
    read the console through its visitors' browsers (DNS rebinding), which needs a name."""

    def __init__(self, app: ASGIApp, names: Sequence[str]) -> None:
        self._app = app
        self._names = frozenset(name.lower().strip("[]") for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self.is_ours(Headers(scope=scope).get("host", "")):
            response = PlainTextResponse("This console does not answer under this name: web.allowed_hosts.", 400)
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def is_ours(self, host: str) -> bool:
        """Whether a Host header names this console."""
        if not HOST.fullmatch(host):
            return False
        name = (urlsplit(f"//{host}").hostname or "").lower()
        if "*" in self._names or name in self._names:
            return True
        try:
            return bool(ip_address(name))
        except ValueError:
            return False


class SameOrigin:
    """Refuses changes that another site's page asks for.

    The rule of Go's `net/http.CrossOriginProtection`: `Sec-Fetch-Site` decides where the browser sends it, else
    `Origin` must name this host; a request with neither does not come from a browser.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] == "http"
            and scope["method"] not in SAFE_METHODS
            and not is_same_origin(Headers(scope=scope))
        ):
            response = respond(Request(scope), Problem(403, "cross_origin"))
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)


def is_same_origin(headers: Headers) -> bool:
    """Whether a request that changes something comes from our own pages, or not from a browser at all."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")
