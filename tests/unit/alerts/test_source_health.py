"""When a source is late or silent, as values in and values out."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import exp
from random import Random
from zoneinfo import ZoneInfo

import pytest

from alerts.watches.source_health import HealthOptions, expected_between, is_outage, judge, learn
from storage.sources import SourceRow

ZONE = ZoneInfo("Asia/Shanghai")
OPTIONS = HealthOptions(ZONE)
MONDAY = datetime(2026, 3, 1, 16, tzinfo=UTC)  # 0:00 on the wall in Shanghai
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)


def hours(weeks: int, rate: Mapping[int, int] | int, start: datetime = MONDAY) -> dict[datetime, int]:
    """So many documents in each hour; by hour of the day, if they differ."""
    return {start + n * HOUR: rate if isinstance(rate, int) else rate.get(n % 24, 0) for n in range(weeks * 7 * 24)}


def row(
    expected: list[float] | None, last: datetime, gaps: list[float] | None = None, **changes: object
) -> SourceRow:
    made = SourceRow(
        "s", MONDAY, last, live_since=MONDAY, expected=expected, gaps=[0.5] * 50 if gaps is None else gaps
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def learned(counts: dict[datetime, int]) -> list[float]:
    expected = learn(counts, min(counts), max(counts) + HOUR, ZONE)
    assert expected is not None
    return expected


def test_the_hours_of_the_local_week_are_learned() -> None:
    """Days differ from nights, on the wall clock of the zone; an outage and a rush of one week move nothing."""
    counts = hours(4, dict.fromkeys(range(8, 20), 12))
    for n in range(24):
        counts[MONDAY + WEEK + n * HOUR] = 0
        counts[MONDAY + 2 * WEEK + DAY + n * HOUR] = 5000
    expected = learned(counts)
    assert expected[12] == expected[24 + 12] == pytest.approx(12, rel=0.15)
    assert expected[3] == expected[24 + 3] == 0
    assert sum(expected) == pytest.approx(7 * 12 * 12, rel=0.15)


def test_few_documents_still_make_a_rate() -> None:
    """One document every three hours: every median is 0, and the source is not taken for one that brings nothing."""
    random = Random(3)
    counts = {at: int(random.random() < 1 / 3) for at in hours(4, 0)}
    assert sum(learned(counts)) == pytest.approx(56, rel=0.2)


@pytest.mark.parametrize(("span", "rate"), [(23, 100), (24 * 20, 0)])
def test_too_little_is_known_of(span: int, rate: int) -> None:
    """Less than a day, or hardly a document: nothing is expected, so nothing is missed."""
    counts = {MONDAY + n * HOUR: rate for n in range(span)}
    assert learn(counts, MONDAY, MONDAY + span * HOUR, ZONE) is None


def test_a_young_source_is_expected_half() -> None:
    """Before two full weeks the hour of the day stands in, and days off may come."""
    counts = {MONDAY + n * HOUR: 20 for n in range(72)}
    assert learned(counts) == [10.0] * 168


def test_a_silence_teaches_nothing() -> None:
    """What is usual comes from before the newest document, however long ago that is."""
    counts = hours(4, 10)
    last = max(counts) + HOUR
    assert learn(counts, MONDAY, last, ZONE) == learned(counts) == [10.0] * 168


def test_expected_follows_parts_of_hours() -> None:
    """Across midnight, with a quarter of one hour and half of the next."""
    expected = [0.0] * 168
    expected[23], expected[24] = 8.0, 20.0
    start = MONDAY + DAY - timedelta(minutes=15)
    assert expected_between(expected, start, start + timedelta(minutes=45), ZONE) == pytest.approx(12.0)


def test_late_then_silent_by_chance() -> None:
    """Ten an hour: the chance falls as exp(-expected), late below 1e-4, silent below 1e-8, ended after a month."""
    last = MONDAY + 4 * WEEK
    source = row([10.0] * 168, last)
    state, chance = judge(source, last + timedelta(minutes=54), OPTIONS)
    assert (state, chance) == ("ok", pytest.approx(exp(-9.0)))
    assert judge(source, last + timedelta(minutes=57), OPTIONS)[0] == "late"
    assert judge(source, last + timedelta(minutes=115), OPTIONS)[0] == "silent"
    assert judge(source, last + 31 * DAY, OPTIONS)[0] == "ended"


def test_a_short_pause_is_never_told() -> None:
    """A thousand a minute and nothing for ten: improbable, and still not worth a message."""
    last = MONDAY + 4 * WEEK
    assert judge(row([60_000.0] * 168, last), last + timedelta(minutes=10), OPTIONS)[0] == "ok"
    assert judge(row([60_000.0] * 168, last), last + timedelta(minutes=16), OPTIONS)[0] == "silent"


def test_a_quiet_night_is_no_silence() -> None:
    """Nothing is missed where nothing is usual."""
    expected = [12.0 if 8 <= hour % 24 < 20 else 0.0 for hour in range(168)]
    evening = MONDAY + 4 * WEEK + 20 * HOUR
    source = row(expected, evening)
    assert judge(source, evening + 12 * HOUR, OPTIONS)[0] == "ok"
    assert judge(source, evening + 13 * HOUR, OPTIONS)[0] == "late"


def test_a_source_in_rounds_may_pause() -> None:
    """Crawled every six hours: twice that is late, though chance alone would say so within the hour."""
    last = MONDAY + 4 * WEEK
    source = row([10.0] * 168, last, gaps=[60.0] * 30)
    assert judge(source, last + 11.9 * HOUR, OPTIONS)[0] == "ok"
    assert judge(source, last + 12.1 * HOUR, OPTIONS)[0] == "late"
    assert judge(source, last + 24.1 * HOUR, OPTIONS)[0] == "silent"


def test_a_file_imported_once_is_never_silent() -> None:
    """Documents that came in one go were never seen to keep coming."""
    last = MONDAY + 4 * WEEK
    for changes in ({"gaps": [0.5] * 3}, {"live_since": None}, {"live_since": last}, {"expected": None}):
        assert judge(replace(row([10.0] * 168, last), **changes), last + 10 * HOUR, OPTIONS) == ("new", None)


def test_false_alarms_are_rare() -> None:
    """A year of a source that is well and comes at random is hardly ever called late, and never silent."""
    random, at, late, silent = Random(5), MONDAY, 0, 0
    source = row([10.0] * 168, at)
    while at < MONDAY + 52 * WEEK:
        pause = HOUR * random.expovariate(10.0)
        state, _ = judge(replace(source, last_at=at), at + pause, OPTIONS)
        late, silent = late + (state == "late"), silent + (state == "silent")
        at += pause
    assert late < 25
    assert silent == 0


def test_many_at_once_are_one_outage() -> None:
    """Half of four or more that are judged; those that nothing is known of do not count."""
    assert is_outage(["late", "silent", "ok", "ok"])
    assert not is_outage(["late", "ok", "ok", "ok"])
    assert not is_outage(["late", "late", "late", "new", "ended"])
