"""The scheduler's job that makes the daily and weekly reports when their morning has come, and lets old ones go."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Final, get_args

from sqlalchemy import Connection, Engine

from core.clock import Clock
from core.errors import OpinionError
from core.logs import get_logger
from core.settings import Settings
from opinion.pdf import pdf_of, program
from storage import report_counts, reports, watchlists
from storage.reports import Kind, Language, NewReport
from web.reports.figures import Figures, read_figures
from web.reports.pages import Look, report_html
from web.reports.periods import Period, last_period

log = get_logger(__name__)

EVERY: Final = timedelta(minutes=10)
ALL_WATCHLISTS: Final = "*"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One report that is to be there; an empty watchlist: of everything."""

    period: Period
    watchlist: str
    language: Language


class ReportJob:
    """Makes what is due and not there yet, one at a time. What there is no document for is not made."""

    def __init__(self, settings: Settings, engine: Engine, clock: Clock) -> None:
        self._settings = settings
        self._engine = engine
        self._clock = clock

    def __call__(self, should_stop: Callable[[], bool]) -> None:
        now = self._clock.now()
        with self._engine.begin() as connection:
            reports.forget(connection, before=now - self._settings.reports.keep)
            wanted = list(self._missing(connection, now))
        chromium = self._chromium() if wanted else None
        made = 0
        for one in wanted:
            if should_stop():
                break
            made += self._make(one, now, chromium)
        if made:
            log.info("reports_made", reports=made)

    def _missing(self, connection: Connection, now: datetime) -> Iterator[Wanted]:
        settings = self._settings.reports
        for kind in get_args(Kind):
            period = last_period(kind, now, self._settings.zone)
            if not getattr(settings, kind) or now < self._due(period):
                continue
            for watchlist in self._watchlists(connection):
                for language in settings.languages:
                    if not reports.is_made(connection, kind, watchlist, period.first_day, language) and (
                        report_counts.tally(connection, period.span, watchlist or None).total
                    ):
                        yield Wanted(period, watchlist, language)

    def _due(self, period: Period) -> datetime:
        day = period.last_day + timedelta(days=1)
        return datetime.combine(day, time.fromisoformat(self._settings.reports.at), tzinfo=period.zone)

    def _watchlists(self, connection: Connection) -> list[str]:
        """Everything first, then those of the settings that there are."""
        named = self._settings.reports.watchlists
        known = [one.name for one in watchlists.active(connection)]
        return ["", *(name for name in known if ALL_WATCHLISTS in named or name in named)]

    def _chromium(self) -> Path | None:
        if not self._settings.reports.pdf:
            return None
        try:
            return program(self._settings.reports.chromium)
        except OpinionError as error:
            log.warning("no_pdf", reason=error.message, remedy=error.remedy)
            return None

    def _make(self, wanted: Wanted, now: datetime, chromium: Path | None) -> bool:
        with reading(self._engine) as connection:
            figures = read_figures(connection, wanted.period, wanted.watchlist or None)
        look = Look(wanted.language, self._settings.zone, "", now)
        pdf = self._pdf(figures, wanted.language, now, chromium) if chromium else None
        with self._engine.begin() as connection:
            kept = NewReport(
                wanted.period.kind,
                wanted.watchlist,
                wanted.period.first_day,
                wanted.language,
                report_html(figures, look),
                pdf,
                figures.document_ids,
                now,
            )
            return reports.keep(connection, kept)

    def _pdf(self, figures: Figures, language: Language, now: datetime, chromium: Path) -> bytes | None:
        """A file that is passed on: its links name the console."""
        look = Look(language, self._settings.zone, self._settings.alerts.console_url, now)
        try:
            return pdf_of(report_html(figures, look), chromium)
        except OpinionError as error:
            log.warning("pdf_failed", reason=error.message)
            return None


def reading(engine: Engine) -> Connection:
    """A connection with one snapshot for all that a report reads; nothing can be changed on it."""
    return engine.connect().execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
