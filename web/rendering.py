"""Templates, and how times, numbers and links read in them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from rich import filesize
from sqlalchemy import Engine
from starlette.requests import Request
from starlette.responses import HTMLResponse

from core.clock import Clock
from core.taxonomy import SENTIMENTS
from web.i18n import LANGUAGES, MESSAGES, Language, language_of, name_of, translate
from web.marking import marked
from web.navigation import Bar
from web.preferences import THEMES, theme_of
from web.roles import person_of
from web.view import GROUPS, PRESETS, View

HERE = Path(__file__).parent
AGES = (
    (timedelta(days=730), "years", timedelta(days=365)),
    (timedelta(days=2), "days", timedelta(days=1)),
    (timedelta(hours=2), "hours", timedelta(hours=1)),
    (timedelta(minutes=2), "minutes", timedelta(minutes=1)),
    (timedelta(0), "seconds", timedelta(seconds=1)),
)


@dataclass(frozen=True, slots=True)
class Console:
    """What every route works with; kept in `app.state.console`."""

    engine: Engine
    zone: ZoneInfo
    clock: Clock
    templates: Environment


def console_of(request: Request) -> Console:
    """The console that this request reached."""
    console: Console = request.app.state.console
    return console


def environment() -> Environment:
    """Jinja2 with autoescape for every template, and with names it does not know as errors."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "number": number,
        "share": share,
        "percent": percent,
        "points": points,
        "figure": figure,
        "change": change,
        "safe_url": safe_url,
        "moment": datetime.fromisoformat,
        "bytes": filesize.decimal,
        "marked": marked,
    }
    made.globals |= {
        "languages": LANGUAGES,
        "presets": PRESETS,
        "groupings": GROUPS,
        "sentiments": SENTIMENTS,
        "themes": THEMES,
        "later": lambda at, seconds: at + timedelta(seconds=seconds),
    }
    return made


def page(request: Request, template: str, *, status_code: int = 200, **context: Any) -> HTMLResponse:
    """Render a page in the reader's language and the configured zone."""
    console = console_of(request)
    language = language_of(request)
    now = console.clock.now()

    asked = request.query_params.multi_items()
    person = person_of(request)

    def local(at: datetime, form: str = "%Y-%m-%d %H:%M") -> str:
        return at.astimezone(console.zone).strftime(form)

    def age(at: datetime) -> str:
        return age_in_words(now - at, lambda key, n: translate(language, key, n=n))

    words = {
        "language": language,
        "t": lambda key, **values: translate(language, key, **values),
        "name": lambda family, value: name_of(language, family, value),
        "local": local,
        "age": age,
        "zone": str(console.zone),
        "path": request.url.path,
        "person": person,
        "has_accounts": request.app.state.access is not None,
        "pages_bar": Bar.of(person, request.url.path),
        "theme": theme_of(request),
        "clock_now": now,
        "model_url": model_url,
        "label_url": lambda document_id: label_url(request, document_id),
        "document_url": document_url,
        "choosing": lambda name, value: urlencode([*(item for item in asked if item[0] != name), (name, value)]),
        "words_of": lambda *families: words_of(language, *families),
        "view": View(),
    }
    html = console.templates.get_template(template).render(words | context)
    return HTMLResponse(html, status_code, headers={"Content-Language": language})


def label_url(request: Request, document_id: str) -> str:
    """Where a document is labelled; from the list of documents there is a way back to the same place."""
    asked = {"document": document_id}
    if request.url.path == "/documents":
        asked["back"] = f"/documents?{request.url.query}" if request.url.query else "/documents"
    return f"/label?{urlencode(asked)}"


def model_url(version: str) -> str:
    """The page of a model version."""
    return f"/models/versions/{quote(version)}"


def document_url(document_id: str) -> str:
    """The page of one document; its id may hold slashes."""
    return f"/documents/{quote(document_id, safe='')}"


def words_of(language: Language, *families: str) -> dict[str, str]:
    """What a script says: the words whose keys begin with these, such as `chart.`."""
    return {key: text for key, text in MESSAGES[language].items() if key.startswith(families)}


def age_in_words(age: timedelta, say: Any) -> str:
    """`3 min ago`; a time in the future reads as now."""
    if age < timedelta(seconds=5):
        return str(say("age.now", 0))
    unit, length = next((unit, length) for least, unit, length in AGES if age >= least)
    return str(say(f"age.{unit}", age // length))


def number(value: float) -> str:
    """12,345"""
    return f"{value:,.0f}"


def figure(value: float) -> str:
    """A measured value: whole from 100 on, else with one decimal where it has one."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.1f}"


def share(value: float | None) -> str:
    """12.3 %, and a dash where there is nothing to share."""
    return "–" if value is None else f"{value:.1%}".replace("%", " %")


def percent(score: float) -> str:
    """A model's score: 93 %"""
    return f"{score:.0%}".replace("%", " %")


def points(now: float | None, before: float | None) -> str:
    """The change between two shares in percentage points, signed; empty when one is missing."""
    if now is None or before is None:
        return ""
    said = f"{(now - before) * 100:+.1f}"
    return "0.0" if said in {"+0.0", "-0.0"} else said.replace("-", "−")


def change(ratio: float) -> str:
    """How much more or less, signed: +12 %, −3 %"""
    said = f"{ratio:+,.0%}".replace("%", " %")
    return "0 %" if said in {"+0 %", "-0 %"} else said.replace("-", "−")


def safe_url(url: str | None) -> str | None:
    """A crawled address, if a link may lead there: only http and https."""
    try:
        return url if url and urlsplit(url).scheme in {"http", "https"} else None
    except ValueError:
        return None
