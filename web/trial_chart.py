"""The incidents of a tried rule beside those of the rule that holds, over the counts: where each lies in a picture of
`WIDTH` by `HEIGHT`. The template draws it, so that it needs no script; the table below it says the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from alerts.detection.rules import Dimension, Rule
from alerts.rulebook.laboratory import Trial, TrialIncident
from storage.series import Filters, Span, buckets_of, choose_step, lines

WIDTH: Final = 760
HEIGHT: Final = 168
COUNTS: Final = (6.0, 86.0)  # top and bottom of the counts
NOW_LANE: Final = 94.0
NEW_LANE: Final = 120.0
LEAST_WIDTH: Final = 3.0  # of an incident: one of minutes among weeks has to be seen
TICKS: Final = 7


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in the picture."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn.

    Attributes:
        counts: what the rule counts, by time; empty where the counts alone do not say it.
        now, new: incidents of the rule that holds and of the one that is tried.
        ticks: where a time is written below.
    """

    counts: Sequence[Box]
    most: int
    now: Sequence[Box]
    new: Sequence[Box]
    ticks: Sequence[tuple[float, datetime]]


def picture(connection: Connection, rule: Rule, tried: Trial, holds: Trial | None, zone: ZoneInfo) -> Picture:
    """Where everything lies."""
    span = Span(tried.starts_at, tried.ends_at)
    counts = _counts(connection, rule, span, zone)
    most = max((count for _, _, count in counts), default=0)
    top, bottom = COUNTS
    bars = [
        Box(_x(span, at), round(bottom - (bottom - top) * count / most, 1), _width(span, at, until), 0.0)
        for at, until, count in counts
        if count
    ]
    step = span.length / TICKS
    return Picture(
        counts=[Box(one.x, one.y, one.width, round(bottom - one.y, 1)) for one in bars],
        most=most,
        now=[_box(span, one, NOW_LANE) for one in (holds.incidents if holds else ())],
        new=[_box(span, one, NEW_LANE) for one in tried.incidents],
        ticks=[(_x(span, at), at) for at in (span.start + step * nth for nth in range(1, TICKS))],
    )


def _counts(connection: Connection, rule: Rule, span: Span, zone: ZoneInfo) -> list[tuple[datetime, datetime, int]]:
    """Only where one line of the minute counts holds what the rule counts."""
    where = dict(rule.where)
    if rule.of_watchlists or "kind" in where or any(len(values) > 1 for values in where.values()):
        return []

    def only(dimension: Dimension) -> str | None:
        return where[dimension][0] if dimension in where else None

    filters = Filters(topic=only("topic"), source=only("source"), language=only("lang"))
    buckets = buckets_of(span, choose_step(span.length, 1_000_000), zone)
    (line,) = lines(connection, buckets, zone, filters=filters)
    found = line.negative if rule.counted == "negative" else line.total
    return [(at, at + buckets.step, count) for at, count in zip(buckets.starts, found, strict=True)]


def _box(span: Span, incident: TrialIncident, y: float) -> Box:
    until = incident.ends_at or span.end
    return Box(_x(span, incident.starts_at), y, max(LEAST_WIDTH, _width(span, incident.starts_at, until)), 18.0)


def _width(span: Span, start: datetime, end: datetime) -> float:
    return round(max(0.5, _x(span, end) - _x(span, start)), 1)


def _x(span: Span, at: datetime) -> float:
    length = max(span.length, timedelta(minutes=1))
    return round(WIDTH * min(1.0, max(0.0, (at - span.start) / length)), 1)
