"""Chinese and English: the browser's `Accept-Language` decides, `?lang=` overrides and is kept.

The words are in `web.i18n.words`, a file for each page.
"""

import pkgutil
from importlib import import_module
from typing import Literal, get_args
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from web.i18n import words

Language = Literal["zh", "en"]

LANGUAGES: tuple[Language, ...] = get_args(Language)
COOKIE = "opinion_lang"
A_YEAR_SECONDS = 31_536_000


def _gathered() -> dict[str, tuple[str, str]]:
    """All words, `key: (English, Chinese)`; a key that two pages define is an error, since one would be lost."""
    every: dict[str, tuple[str, str]] = {}
    for module in pkgutil.iter_modules(words.__path__):
        found = import_module(f"{words.__name__}.{module.name}").WORDS
        if twice := every.keys() & found.keys():
            raise ValueError(f"web/i18n/words/{module.name}.py defines {sorted(twice)} again")
        every |= found
    return every


_EVERY = _gathered()
MESSAGES: dict[Language, dict[str, str]] = {
    "zh": {key: chinese for key, (_, chinese) in _EVERY.items()},
    "en": {key: english for key, (english, _) in _EVERY.items()},
}


def translate(language: Language, key: str, **values: object) -> str:
    """The message in this language; a key that nobody translated raises KeyError, which a test would find."""
    return MESSAGES[language][key].format(**values)


def name_of(language: Language, family: str, value: str) -> str:
    """The name of a value that comes from data (a topic, a status); itself when it has no translation."""
    return MESSAGES[language].get(f"{family}.{value}", value)


def language_of(request: Request) -> Language:
    """The reader's language: the cookie that `?lang=` left, else the browser's first choice that we speak."""
    chosen = request.cookies.get(COOKIE)
    for language in LANGUAGES:
        if chosen == language:
            return language
    return preferred(request.headers.get("accept-language", ""))


def preferred(accept_language: str) -> Language:
    """The language of ours with the highest weight in an `Accept-Language` header; English if there is none."""
    best: tuple[float, Language] = (0.0, "en")
    for item in accept_language.split(","):
        tag, _, parameter = item.strip().partition(";")
        try:
            weight = float(parameter.strip().removeprefix("q=")) if parameter else 1.0
        except ValueError:
            continue
        for language in LANGUAGES:
            if tag.split("-")[0].lower() == language and weight > best[0]:
                best = (weight, language)
    return best[1]


class LanguageSwitch:
    """Turns `?lang=zh` into a cookie and the same address without it, so that links stay clean."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        chosen = dict(query).get("lang")
        if scope["type"] != "http" or scope["method"] != "GET" or chosen not in LANGUAGES:
            await self._app(scope, receive, send)
            return
        rest = urlencode([(key, value) for key, value in query if key != "lang"])
        path = "/" + scope["path"].lstrip("/")  # "//host" would lead away from here
        response = RedirectResponse(f"{path}?{rest}" if rest else path, status_code=303)
        response.set_cookie(COOKIE, chosen, max_age=A_YEAR_SECONDS, httponly=True, samesite="lax")
        await response(scope, receive, send)
