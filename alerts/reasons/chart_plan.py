"""What a picture of an incident shows, and how it is labelled; drawn by `alerts.reasons.charts`. Pure.

No crawled text is in it: figures, times and four fixed labels, in Chinese or English.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final, Literal

Language = Literal["zh", "en"]

WORDS: Final[dict[Language, dict[str, str]]] = {
    "zh": {
        "title": "每 {minutes} 分钟负面文档数",
        "negatives": "负面",
        "band": "通常范围（95%）",
        "expected": "预期",
        "stretch": "事件",
    },
    "en": {
        "title": "negative documents per {minutes} min",
        "negatives": "negative",
        "band": "usual range (95 %)",
        "expected": "expected",
        "stretch": "incident",
    },
}
OF_ALL: Final[dict[Language, dict[str, str]]] = {
    "zh": {"title": "每 {minutes} 分钟文档数", "negatives": "文档"},
    "en": {"title": "documents per {minutes} min", "negatives": "documents"},
}
"""Where a rule counts all documents."""

MOST_TICKS: Final = 4
STEPS: Final = (1, 2, 5)
TIME_STEPS: Final = tuple(timedelta(hours=hours) for hours in (1, 2, 3, 4, 6, 12, 24, 48, 96, 168, 336))


@dataclass(frozen=True, slots=True)
class ChartPlan:
    """Columns of equal length, one entry for each bucket, and the marks on both axes.

    Attributes:
        stretch: from which bucket on, as a position among them, the incident lasts; it goes on to the end.
        top: the upper end of the count axis.
        count_ticks: counts that are marked.
        time_ticks: positions that are marked, with the time to write there.
    """

    negatives: list[int]
    expected: list[float]
    lower: list[float]
    upper: list[float]
    stretch: float
    top: float
    count_ticks: list[int]
    time_ticks: list[tuple[float, str]]
    title: str
    words: Mapping[str, str]


def plan(body: Mapping[str, Any], language: Language, zone: tzinfo = UTC) -> ChartPlan | None:
    """Of an evidence body; None where it has no series that can be drawn."""
    series = body.get("series")
    if not isinstance(series, Mapping):
        return None
    try:
        start, bucket = datetime.fromisoformat(series["starts_at"]), timedelta(seconds=series["bucket_seconds"])
        negatives, expected, lower, upper = (
            list(series[name]) for name in ("negatives", "expected", "lower", "upper")
        )
        since = datetime.fromisoformat(body["since"])
        highest = max(*negatives, *upper, 1)
    except (KeyError, TypeError, ValueError):
        return None
    count = len(negatives)
    if not count or not len(expected) == len(lower) == len(upper) == count or bucket <= timedelta(0):
        return None
    words = WORDS[language] | (OF_ALL[language] if body.get("counted") == "total" else {})
    step = _count_step(highest)
    top = -(-highest // step) * step
    return ChartPlan(
        negatives,
        expected,
        lower,
        upper,
        stretch=min(max((since - start) / bucket, 0.0), float(count)),
        top=top,
        count_ticks=list(range(0, int(top) + 1, step)),
        time_ticks=_time_ticks(start, bucket, count, zone),
        title=words["title"].format(minutes=f"{bucket / timedelta(minutes=1):g}"),
        words=words,
    )


def _count_step(highest: float) -> int:
    """1, 2 or 5 times a power of ten, so that few marks reach the highest count."""
    power = 1
    while True:
        for step in STEPS:
            if highest / (step * power) <= MOST_TICKS:
                return step * power
        power *= 10


def _time_ticks(start: datetime, bucket: timedelta, count: int, zone: tzinfo) -> list[tuple[float, str]]:
    length = count * bucket
    step = next((one for one in TIME_STEPS if length / one <= MOST_TICKS + 2), TIME_STEPS[-1])
    local = start.astimezone(zone)
    at = local.replace(hour=0, minute=0, second=0, microsecond=0)
    ticks = []
    while at <= local + length:
        position = (at - local) / bucket
        if position >= 0:
            is_date = step >= timedelta(days=1) or at.hour == 0
            ticks.append((position, at.strftime("%m-%d" if is_date else "%H:%M")))
        at += step
    return ticks
