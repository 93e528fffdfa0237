"""Nights and weekends in local time, also when the clocks change."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.routing.quiet_hours import QuietHours, latest_slot

BERLIN = ZoneInfo("Europe/Berlin")
SHANGHAI = ZoneInfo("Asia/Shanghai")
NIGHT = QuietHours(SHANGHAI, time(22, 30), time(7))


def at(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-03-10 22:29", None),
        ("2026-03-10 22:30", "2026-03-11 07:00"),
        ("2026-03-11 06:59", "2026-03-11 07:00"),
        ("2026-03-11 07:00", None),
    ],
)
def test_a_night_goes_on_after_midnight(now: str, until: str | None) -> None:
    """From its first minute to its last."""
    assert NIGHT.until(at(now)) == (at(until) if until else None)


def test_hours_of_a_day_and_no_hours() -> None:
    """A lunch break does not go over midnight; without anything it is never quiet."""
    lunch = QuietHours(SHANGHAI, time(12), time(13))
    assert lunch.until(at("2026-03-10 12:30")) == at("2026-03-10 13:00")
    assert lunch.until(at("2026-03-10 23:30")) is None
    assert QuietHours(SHANGHAI).until(at("2026-03-10 03:00")) is None


def test_a_weekend_joins_the_nights_around_it() -> None:
    """Friday's night to Monday's morning is one stretch; without nights it ends on Monday at midnight."""
    both = QuietHours(SHANGHAI, time(22), time(7), weekends=True)
    for now in ("2026-03-13 22:00", "2026-03-14 12:00", "2026-03-15 23:00", "2026-03-16 06:00"):
        assert both.until(at(now)) == at("2026-03-16 07:00")
    only = QuietHours(SHANGHAI, weekends=True)
    assert only.until(at("2026-03-13 23:59")) is None
    assert only.until(at("2026-03-14 00:00")) == at("2026-03-16 00:00")


def test_the_clocks_change() -> None:
    """An end that is skipped comes an hour later by the new clock; of one that comes twice the first counts."""
    night = QuietHours(BERLIN, time(22), time(2, 30))
    assert night.until(at("2026-03-29 01:00", BERLIN)) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30, before the clocks go back
    assert night.until(first - timedelta(minutes=1)) == first
    for minutes in range(0, 180, 10):
        assert night.until(first + timedelta(minutes=minutes)) is None


@given(
    st.timedeltas(timedelta(0), timedelta(days=730)).map(lambda after: datetime(2025, 1, 1, tzinfo=UTC) + after),
    st.times().map(lambda one: one.replace(second=0, microsecond=0)),
    st.times().map(lambda one: one.replace(second=0, microsecond=0)),
    st.booleans(),
)
def test_quiet_ends_and_is_quiet_until_then(now: datetime, start: time, end: time, weekends: bool) -> None:
    """Whatever the hours: the end lies ahead, is not quiet itself, and a minute before it still is."""
    if start == end:
        return
    quiet = QuietHours(BERLIN, start, end, weekends)
    until = quiet.until(now)
    if until is not None:
        assert now < until <= now + timedelta(days=4)
        assert quiet.until(until) is None
        assert quiet.until(max(now, until - timedelta(minutes=1))) == until


def test_the_last_slot_of_a_digest() -> None:
    """The newest moment that is past, of the day and of the week."""
    now = at("2026-03-10 08:59")  # a Tuesday
    assert latest_slot(now, SHANGHAI, time(9)) == at("2026-03-09 09:00")
    assert latest_slot(now + timedelta(minutes=1), SHANGHAI, time(9)) == at("2026-03-10 09:00")
    assert latest_slot(now, SHANGHAI, time(9), 0) == at("2026-03-09 09:00")
    assert latest_slot(now, SHANGHAI, time(9), 1) == at("2026-03-03 09:00")
