"""Chinese and English: the browser's `Accept-Language` decides, `?lang=` overrides and is kept (`web.preferences`).

The words are in `web.i18n.words`, a file for each page.
"""

import pkgutil
from importlib import import_module
from typing import Literal, get_args

from starlette.requests import Request

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
