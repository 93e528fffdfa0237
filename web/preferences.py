"""What a reader has chosen for every page, kept in cookies: the language and the colours.

`?lang=` and `?colours=` choose; both are turned into a cookie and the same address without them, so that links stay
clean and the choice needs no script.
"""

from typing import Final, Literal, get_args
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from web import i18n
from web.i18n import A_YEAR_SECONDS, LANGUAGES

Theme = Literal["auto", "light", "dark"]

THEMES: tuple[Theme, ...] = get_args(Theme)
THEME_COOKIE: Final = "opinion_theme"
CHOICES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "lang": (i18n.COOKIE, LANGUAGES),
    "colours": (THEME_COOKIE, THEMES),
}
"""By parameter: the cookie, and what it may say."""


def theme_of(request: Request) -> Theme:
    """The reader's colours; `auto` leaves it to their system."""
    chosen = request.cookies.get(THEME_COOKIE)
    return next((theme for theme in THEMES if theme == chosen), "auto")


class PreferenceSwitch:
    """Turns `?lang=zh` or `?colours=dark` into a cookie and the same address without it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        chosen = {name: value for name, value in query if name in CHOICES and value in CHOICES[name][1]}
        if scope["type"] != "http" or scope["method"] != "GET" or not chosen:
            await self._app(scope, receive, send)
            return
        rest = urlencode([(key, value) for key, value in query if key not in chosen])
        path = "/" + scope["path"].lstrip("/")  # "//host" would lead away from here
        response = RedirectResponse(f"{path}?{rest}" if rest else path, status_code=303)
        for name, value in chosen.items():
            cookie, _ = CHOICES[name]
            response.set_cookie(cookie, value, max_age=A_YEAR_SECONDS, httponly=True, samesite="lax")
        await response(scope, receive, send)
