"""When a good part of all series fires at once, it is one incident: the classifier, a crawler, or truly everything.

Pure. The series that fired within an hour are counted against those with documents in the last day. A surge of one
topic fires in its sources, languages and watchlists, too; so the fired ones must have nothing in common.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from alerts.routing.rollup import identity
from core.windows import MINUTE
from storage.incidents import IncidentRow

TOGETHER: Final = timedelta(hours=1)
MOST_LENGTH: Final = timedelta(hours=24)  # what fires later than this after the beginning is another one
COMMON: Final = 0.5  # of the fired series with any label: if so many share one, it is about that
FEWEST_VALUES: Final = 3  # of one label


@dataclass(frozen=True, slots=True)
class GuardOptions:
    """When the guard speaks.

    Attributes:
        share: of the series with documents in the last day, more must have fired within an hour.
        fewest: and at least so many.
    """

    share: float = 0.05
    fewest: int = 8


@dataclass(frozen=True, slots=True)
class PlatformSurge:
    """Series that fired together; `detected_at` is when there were enough of them, `series` out of how many then."""

    detected_at: datetime
    members: list[IncidentRow]
    series: int


def find(
    incidents: Iterable[IncidentRow], series_at: Callable[[datetime], int], options: GuardOptions
) -> list[PlatformSurge]:
    """The platform-wide surges among these incidents, oldest first.

    Args:
        series_at: how many series had documents in the day before this time; asked only when many fired.
    """
    rows = sorted(incidents, key=lambda row: (row.detected_at, row.fingerprint))
    found: list[PlatformSurge] = []
    last_at: datetime | None = None
    start = 0
    for end, row in enumerate(rows, start=1):
        at = row.detected_at
        while rows[start].detected_at <= at - TOGETHER:
            start += 1
        together = rows[start:end]
        if len({one.fingerprint for one in together}) < options.fewest or not is_general(together):
            continue
        series = series_at(at)
        if len({one.fingerprint for one in together}) <= options.share * series:
            continue
        is_same = found and last_at is not None and at - last_at <= TOGETHER
        if is_same and at - found[-1].detected_at <= MOST_LENGTH:
            known = {one.id for one in found[-1].members}
            found[-1].members.extend(one for one in together if one.id not in known)
        else:
            found.append(PlatformSurge(at, list(together), series))
        last_at = at
    return found


def is_general(incidents: Sequence[IncidentRow]) -> bool:
    """Whether no topic, source or other label is behind most of them."""
    pairs = Counter(pair for row in incidents for pair in identity(row.labels))
    labelled = sum(1 for row in incidents if identity(row.labels))
    values = Counter(name for name, _ in pairs)
    return bool(pairs) and max(values.values()) >= FEWEST_VALUES and max(pairs.values()) < COMMON * labelled


def start_of(surge: PlatformSurge) -> datetime:
    """Where the earliest member begins; at most a day before it was found."""
    return max(min(row.starts_at for row in surge.members), surge.detected_at - MOST_LENGTH)


def end_of(members: Sequence[IncidentRow]) -> datetime | None:
    """None while any of them fires."""
    if any(row.status == "firing" for row in members):
        return None
    return max((row.ends_at or row.last_fired_at for row in members), default=None)


def minutes_between(surge: PlatformSurge) -> int:
    """How long it took the first members to fire, rounded up."""
    first = min(row.detected_at for row in surge.members)
    return max(1, -(-(surge.detected_at - first) // MINUTE))
