"""Whether a source has been quiet for longer than chance explains. Pure.

Documents of a source come like a Poisson process whose rate follows the hour of the week, so that the chance of
nothing from s to t is exp(-m), m being how many were expected in between (the time-rescaling theorem: Brown et al.
2002, Neural Computation 14(2), section 2). Sources that are crawled in rounds pause regularly though much is
expected: their m is divided by as much as makes twice their usual longest pause just late.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import exp, log
from statistics import median
from zoneinfo import ZoneInfo

from core.windows import floor_to
from storage.sources import SourceRow, SourceState

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WEEK = timedelta(days=7)
HOURS_OF_WEEK = 168
HOURS_OF_DAY = 24
MEMORY = 4 * WEEK
FULL_WEEKS = 2  # with fewer, the hour of the day stands for the hour of the week ...
YOUNG_SHARE = 0.5  # ... and half is expected, because days off have not been seen
FEWEST_DOCUMENTS = 30
FEWEST_GAPS = 20
GAPS_KEPT = 200
USUAL_GAPS = 0.9  # this share of the pauses is usual
LARGEST_SCALE = 3.0
OUTAGE_SHARE = 0.5  # when so many of the judged sources are overdue at once, that is one outage
FEWEST_FOR_OUTAGE = 4


@dataclass(frozen=True, slots=True)
class HealthOptions:
    """When a source is overdue.

    Attributes:
        late, silent: chances below which a pause is no accident.
        quiet: a shorter pause is never told of.
        watched: so long a source has to be seen live first.
        forgotten: after such a silence a source counts as ended.
    """

    zone: ZoneInfo
    late: float = 1e-4
    silent: float = 1e-8
    quiet: timedelta = timedelta(minutes=15)
    watched: timedelta = timedelta(hours=24)
    forgotten: timedelta = timedelta(days=30)


def learn(counts: Mapping[datetime, int], first: datetime, last: datetime, zone: ZoneInfo) -> list[float] | None:
    """Documents an hour by hour of the local week, out of the weeks before the newest document.

    What comes after that document teaches nothing: a silent source does not become one of which nothing is expected.
    Each hour is the median of that hour and its neighbours over the weeks, which an outage or a rush does not move;
    together they are scaled to the median week, because the medians of a source with few documents are all 0.

    Args:
        counts: by hour; an hour that is not there has none.
        first, last: minutes of the oldest and the newest document.

    Returns:
        None when there is less than a day, or too few documents.
    """
    end = floor_to(last, HOUR)
    start = max(floor_to(first, HOUR), end - MEMORY)
    hours = int((end - start) / HOUR)
    series = [counts.get(start + n * HOUR, 0) for n in range(hours)]
    if hours < HOURS_OF_DAY or sum(series) < FEWEST_DOCUMENTS:
        return None
    is_young = hours < FULL_WEEKS * HOURS_OF_WEEK
    cycle = HOURS_OF_DAY if is_young else HOURS_OF_WEEK
    seen: defaultdict[int, list[int]] = defaultdict(list)
    for n, count in enumerate(series):
        slot = hour_of_week(start + n * HOUR, zone) % cycle
        for near in (slot - 1, slot, slot + 1):
            seen[near % cycle].append(count)
    rates = [float(median(seen[slot])) for slot in range(cycle)]
    rates = _scaled(rates, median(sum(series[n : n + cycle]) for n in range(hours % cycle, hours, cycle)))
    share = YOUNG_SHARE if is_young else 1.0
    return [share * rates[slot % cycle] for slot in range(HOURS_OF_WEEK)]


def _scaled(rates: list[float], level: float) -> list[float]:
    """To a sum of `level`, as far as that is plausible; even where the medians are all 0."""
    total = sum(rates)
    if total == 0:
        return [level / len(rates)] * len(rates)
    scale = min(level / total, LARGEST_SCALE)
    return [scale * rate for rate in rates]


def hour_of_week(at: datetime, zone: ZoneInfo) -> int:
    """0 is Monday, 0:00 to 1:00, on the wall of that zone."""
    local = at.astimezone(zone)
    return local.weekday() * HOURS_OF_DAY + local.hour


def expected_between(expected: Sequence[float], start: datetime, end: datetime, zone: ZoneInfo) -> float:
    """How many documents should have come in [start, end)."""
    total, at = 0.0, start
    while at < end:
        following = min(floor_to(at, HOUR) + HOUR, end)
        total += expected[hour_of_week(at, zone)] * ((following - at) / HOUR)
        at = following
    return total


def is_judged(row: SourceRow, at: datetime, options: HealthOptions) -> bool:
    """Whether enough is known: a rate, pauses, and a while of looking. A file that was imported once never is."""
    return (
        row.expected is not None
        and len(row.gaps) >= FEWEST_GAPS
        and row.live_since is not None
        and at - row.live_since >= options.watched
    )


def judge(row: SourceRow, at: datetime, options: HealthOptions) -> tuple[SourceState, float | None]:
    """How a source is, and the chance of such a pause.

    Args:
        at: everything produced before has been stored, so that a backlog of ours makes nobody silent.
    """
    pause = at - row.last_at
    if pause >= options.forgotten:
        return "ended", None
    if row.expected is None or not is_judged(row, at, options):
        return "new", None
    expected = expected_between(row.expected, row.last_at, at, options.zone)
    chance = exp(-expected / stretch(row.gaps, options))
    if pause < options.quiet or chance >= options.late:
        return "ok", chance
    return ("silent" if chance < options.silent else "late"), chance


def stretch(gaps: Sequence[float], options: HealthOptions) -> float:
    """By how much the pauses of a source are longer than those of a Poisson process; at least 1."""
    if not gaps:
        return 1.0
    usual = sorted(gaps)[int(USUAL_GAPS * (len(gaps) - 1))]
    return max(1.0, 2.0 * usual / -log(options.late))


def is_outage(states: Sequence[SourceState]) -> bool:
    """Whether so many sources are overdue at once that they have one cause."""
    judged = [state for state in states if state in ("ok", "late", "silent")]
    overdue = sum(state != "ok" for state in judged)
    return len(judged) >= FEWEST_FOR_OUTAGE and overdue >= OUTAGE_SHARE * len(judged)
