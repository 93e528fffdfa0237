"""Which whole local days a report is about, and which it is held against. Pure."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from storage.reports import Kind
from storage.series import Span

LENGTHS: dict[Kind, int] = {"daily": 1, "weekly": 7}


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days of a zone, from `first_day`; a week begins on Monday."""

    kind: Kind
    first_day: date
    zone: ZoneInfo

    @property
    def days(self) -> int:
        return LENGTHS[self.kind]

    @property
    def last_day(self) -> date:
        return self.first_day + timedelta(days=self.days - 1)

    @property
    def span(self) -> Span:
        """From midnight to midnight; a day may have 23 or 25 hours."""
        return Span(self._midnight(0), self._midnight(self.days))

    @property
    def before(self) -> Span:
        """The same number of days just before."""
        return Span(self._midnight(-self.days), self._midnight(0))

    def starts(self) -> list[datetime]:
        """Of the hours of a day, or the days of a week."""
        if self.kind == "weekly":
            return [self._midnight(nth) for nth in range(self.days)]
        span = self.span
        hours = round((span.end - span.start).total_seconds() / 3600)
        return [span.start + timedelta(hours=nth) for nth in range(hours)]

    def _midnight(self, days: int) -> datetime:
        at = datetime.combine(self.first_day + timedelta(days=days), time.min, tzinfo=self.zone)
        return at.astimezone(ZoneInfo("UTC"))


def period_of(kind: Kind, day: date, zone: ZoneInfo) -> Period:
    """The day, or the week that it lies in."""
    return Period(kind, day if kind == "daily" else day - timedelta(days=day.weekday()), zone)


def last_period(kind: Kind, now: datetime, zone: ZoneInfo) -> Period:
    """The newest one that is over."""
    today = now.astimezone(zone).date()
    return period_of(kind, today - timedelta(days=LENGTHS[kind]), zone)
