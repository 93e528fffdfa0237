"""A report as one HTML file: styles and pictures inside, no script, and a policy that lets nothing be loaded."""

import hashlib
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment
from markupsafe import Markup

from alerts.reasons.charts import chart_svg
from core.taxonomy import SENTIMENTS
from storage.reports import Language
from web.i18n import name_of, translate
from web.incident_reading import IncidentReading
from web.incident_view import DIMENSIONS, FILTERS, scope_of
from web.rendering import HERE, document_url, environment
from web.reports.drawing import Column, bar_svg, columns_svg
from web.reports.figures import Figures
from web.reports.intervals import difference, wilson
from web.view import DocumentsView

EVERY_THIRD_HOUR: Final = 3


@dataclass(frozen=True, slots=True)
class Look:
    """How a report is told.

    Attributes:
        console_url: what links begin with; empty inside the console.
        made_at: stands in its foot.
    """

    language: Language
    zone: ZoneInfo
    console_url: str
    made_at: datetime


class References:
    """Numbers for documents that statements name, listed at the end."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, document_id: str) -> int:
        """The same for the same document."""
        return self._numbers.setdefault(document_id, len(self._numbers) + 1)

    def listed(self) -> list[tuple[int, str]]:
        """In the order in which they were named."""
        return [(number, one) for one, number in self._numbers.items()]


@cache
def stylesheet() -> str:
    """What stands in every report's head."""
    return (HERE / "static" / "report.css").read_text(encoding="utf-8")


@cache
def policy() -> str:
    """The Content-Security-Policy of a report, as a file and when the console serves it: its one style, and links."""
    digest = b64encode(hashlib.sha256(stylesheet().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@cache
def _templates() -> Environment:
    made = environment()
    made.globals["sentiments"] = SENTIMENTS
    return made


def report_html(figures: Figures, look: Look) -> str:
    """A daily or weekly report."""
    period, language = figures.period, look.language

    def say(key: str, **values: object) -> str:
        return translate(language, key, **values)

    columns = [
        Column(_unit_label(at, nth, figures, look), tally.voices, tally.negative_voices)
        for nth, (at, tally) in enumerate(figures.units)
    ]
    chart = columns_svg(
        columns,
        title=say(f"report.chart.{period.kind}"),
        all_name=say("report.voices"),
        negative_name=say("report.negative_voices"),
    )
    now, before = figures.now, figures.before
    scope = DocumentsView(start=period.span.start, end=period.span.end, watchlist=figures.watchlist)
    return _render(
        "report.html",
        look,
        figures=figures,
        period=period,
        chart=chart,
        interval=wilson(now.negative_voices, now.voices),
        interval_before=wilson(before.negative_voices, before.voices),
        change=difference((now.negative_voices, now.voices), (before.negative_voices, before.voices)),
        scope=scope,
        bar=bar_svg,
        filter_of=FILTERS,
    )


def dossier_html(reading: IncidentReading, look: Look) -> str:
    """Everything about one incident, to be filed."""
    body = reading.file.evidence[0].body if reading.file.evidence else {}
    found = body.get("drivers", {})
    drawn = chart_svg(body, language=look.language, zone=look.zone)
    return _render(
        "dossier.html",
        look,
        reading=reading,
        incident=reading.file.incident,
        body=body,
        drivers=[(name, found[name]) for name in DIMENSIONS if found.get(name)],
        others=body.get("drivers_other", {}),
        scope=scope_of(reading.file.incident),
        chart=Markup(drawn) if drawn else None,  # noqa: S704  # drawn by us, of figures and fixed words
    )


def _render(template: str, look: Look, **context: Any) -> str:
    references = References()
    base = look.console_url.rstrip("/")

    def local(at: datetime, form: str = "%Y-%m-%d %H:%M") -> str:
        return at.astimezone(look.zone).strftime(form)

    translated: Callable[..., str] = lambda key, **values: translate(look.language, key, **values)  # noqa: E731
    words = {
        "language": look.language,
        "t": translated,
        "name": lambda family, value: name_of(look.language, family, value),
        "local": local,
        "zone": str(look.zone),
        "made_at": look.made_at,
        "base": base,
        "document_url": lambda document_id: base + document_url(document_id),
        "references": references,
        "css": Markup(stylesheet()),  # noqa: S704  # our own file
        "csp": policy(),
    }
    return _templates().get_template(template).render(words | context)


def _unit_label(at: datetime, nth: int, figures: Figures, look: Look) -> str:
    local = at.astimezone(look.zone)
    if figures.period.kind == "weekly":
        return f"{translate(look.language, f'report.day.{local.weekday()}')} {local:%m-%d}"
    return f"{local:%H:%M}" if nth % EVERY_THIRD_HOUR == 0 else ""
