"""When people do not want to be woken: nights and weekends of their own time zone. Pure.

Local times are read as RFC 5545 (3.3.5) says: one that a change of the clocks skips is taken with the offset before
the change, one that comes twice is the first of the two. So quiet hours begin and end once a night, also then.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
SATURDAY = 5
LONGEST_CHAIN = 5  # days: Friday's night, the weekend, Sunday's night


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Stretches of quiet.

    Attributes:
        start, end: of every day, in local time; an `end` that is not after `start` lies on the next day. None: none.
        weekends: the whole of Saturday and Sunday, too.
    """

    zone: ZoneInfo
    start: time | None = None
    end: time | None = None
    weekends: bool = False

    def until(self, now: datetime) -> datetime | None:
        """When the quiet that `now` lies in ends; None when it is not quiet."""
        end = None
        for begins, ends in sorted(self._stretches(now.astimezone(self.zone).date())):
            if begins <= (end or now) < ends:
                end = ends
        return end

    def _stretches(self, today: date) -> Iterator[tuple[datetime, datetime]]:
        for nth in range(-3, LONGEST_CHAIN):
            day = today + nth * DAY
            if self.start is not None and self.end is not None:
                next_day = day if self.end > self.start else day + DAY
                yield at_local(day, self.start, self.zone), at_local(next_day, self.end, self.zone)
            if self.weekends and day.weekday() == SATURDAY:
                yield at_local(day, time(), self.zone), at_local(day + 2 * DAY, time(), self.zone)


def at_local(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The moment of a local time, in UTC."""
    return datetime.combine(day, at, zone).astimezone(UTC)


def latest_slot(now: datetime, zone: ZoneInfo, at: time, weekday: int | None = None) -> datetime:
    """The last moment, not after `now`, at which it was `at` there (on that day of the week: 0 is Monday)."""
    today = now.astimezone(zone).date()
    for nth in range(9):
        day = today - nth * DAY
        moment = at_local(day, at, zone)
        if moment <= now and (weekday is None or day.weekday() == weekday):
            return moment
    raise AssertionError("a week has every day")
