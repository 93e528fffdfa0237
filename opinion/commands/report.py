"""`opinion report`: a day, a week or an incident as a file to pass on, HTML or PDF."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from core.clock import SystemClock
from core.errors import NotFoundError, UsageError
from core.settings import Settings, load_settings
from opinion.servers import database
from storage import watchlists
from storage.reports import Kind, Language

Format = Literal["html", "pdf"]

app = typer.Typer(help="Daily and weekly reports, and the dossier of an incident: HTML or PDF.", no_args_is_help=True)

WatchlistOption = Annotated[
    str | None, typer.Option("--watchlist", help="Only what mentions it; everything if absent.")
]
DateOption = Annotated[
    datetime | None,
    typer.Option("--date", formats=["%Y-%m-%d"], help="The day, or a day of the week; else the last that is over."),
]
FormatOption = Annotated[Format, typer.Option("--format", help="PDF needs Chromium.")]
LanguageOption = Annotated[Language, typer.Option("--language", help="zh or en.")]
OutOption = Annotated[Path | None, typer.Option("--out", help="Where to; else a name of its own in this folder.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, with the figures.")]


@app.command("daily")
def daily(
    watchlist: WatchlistOption = None,
    date: DateOption = None,
    form: FormatOption = "html",
    language: LanguageOption = "en",
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """What was published on one local day: volume, negative share, topics, sources, stories, incidents.

    Example: opinion report daily --watchlist Acme --date 2026-03-10 --format pdf
    """
    _report("daily", watchlist, date, form, language, out, as_json)


@app.command("weekly")
def weekly(
    watchlist: WatchlistOption = None,
    date: DateOption = None,
    form: FormatOption = "html",
    language: LanguageOption = "en",
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """The same of a week, Monday to Sunday, against the week before.

    Example: opinion report weekly --language zh --out week.html
    """
    _report("weekly", watchlist, date, form, language, out, as_json)


@app.command("incident")
def incident(
    incident_id: Annotated[int, typer.Argument(metavar="ID")],
    form: FormatOption = "html",
    language: LanguageOption = "en",
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """The dossier of an incident: what happened, what it came from, who was told and did what, and the evidence.

    Example: opinion report incident 12 --format pdf --out incident-12.pdf
    """
    from web.incident_reading import read_incident
    from web.reports.pages import Look, dossier_html

    settings = load_settings()
    chromium = _browser(settings, form)
    now = SystemClock().now()
    with database(settings) as engine, engine.begin() as connection:
        found = read_incident(connection, incident_id, [], now)
    if found is None:
        raise NotFoundError(f"there is no incident {incident_id}", remedy="opinion alerts list")
    html = dossier_html(found, Look(language, settings.zone, settings.alerts.console_url, now))
    place = _write(html, form, chromium, out or Path(f"incident-{incident_id}.{form}"))
    _say(place, as_json, {"kind": "incident", "incident": incident_id})


def _report(
    kind: Kind,
    watchlist: str | None,
    date: datetime | None,
    form: Format,
    language: Language,
    out: Path | None,
    as_json: bool,
) -> None:
    from opinion.reporting import reading
    from web.reports.figures import read_figures
    from web.reports.pages import Look, report_html
    from web.reports.periods import last_period, period_of

    settings = load_settings()
    chromium = _browser(settings, form)
    now = SystemClock().now()
    period = period_of(kind, date.date(), settings.zone) if date else last_period(kind, now, settings.zone)
    with database(settings) as engine, reading(engine) as connection:
        if watchlist is not None:
            watchlists.one(connection, watchlist)
        figures = read_figures(connection, period, watchlist)
    html = report_html(figures, Look(language, settings.zone, settings.alerts.console_url, now))
    name = f"{kind}-{period.first_day}.{form}"
    place = _write(html, form, chromium, out or Path(name))
    counted = {"total": figures.now.total, "voices": figures.now.voices}
    shown = {"negative_voices": figures.now.negative_voices, "negative_share": figures.now.share}
    about = {"kind": kind, "watchlist": watchlist, "first_day": str(period.first_day), "days": period.days}
    _say(place, as_json, {**about, **counted, **shown, "documents": figures.document_ids})


def _browser(settings: Settings, form: Format) -> Path | None:
    """Found before anything is read: without it nothing is done."""
    from opinion.pdf import program

    return program(settings.reports.chromium) if form == "pdf" else None


def _write(html: str, form: Format, chromium: Path | None, place: Path) -> Path:
    from opinion.pdf import pdf_of

    body = pdf_of(html, chromium) if chromium is not None else html.encode()
    try:
        place.write_bytes(body)
    except OSError as error:
        raise UsageError(f"cannot write {place}: {error.strerror}", remedy="choose another --out") from error
    return place


def _say(place: Path, as_json: bool, told: dict[str, Any]) -> None:
    if as_json:
        typer.echo(json.dumps({"file": str(place), **told}, ensure_ascii=False))
    else:
        Console().print(f"written to {place}", markup=False)
