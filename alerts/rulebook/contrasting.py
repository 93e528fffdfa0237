"""Which incidents another model's verdicts would have made of the same documents: gained, lost, earlier, later.

The rules are replayed twice over the stored counts. Both replays learn the same past; from `start` on the one sees
the counts as the champion made them, the other with what the candidate says of every document in their place. What
the candidate's windows are expected to hold is translated as it would be after a promotion
(`alerts.detection.model_switches`), but without the caution of the first day. Nothing is written.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection

from alerts.detection.detectors import DetectorOptions
from alerts.detection.lifecycle import Episode
from alerts.detection.model_switches import ModelSwitches, Overlap
from alerts.detection.rereading import Key, reread, rule_counts, rule_totals
from alerts.detection.rules import Rule
from alerts.detection.timeline import SeriesTimeline, walk
from alerts.rulebook.moved_counts import Counts, applied, moves
from storage import bucket_counts, model_switches, sources
from storage.shadow_verdicts import Pair
from storage.sources import Silence

LEARNS = timedelta(days=7)  # before the span, as both replays have to know what is usual
NEAR = timedelta(hours=1)  # surges of one series that are no further apart are the same
MOST_SERIES = 100  # of a rule, the largest
MOST_BUCKETS = 100_000

Change = Literal["gained", "lost", "earlier", "later", "same"]


@dataclass(frozen=True, slots=True)
class Span:
    """What is compared.

    Attributes:
        start, end: in between every document was judged by both.
        old, new: the two models.
        overlap: what both said of the same documents, to translate what is expected.
    """

    start: datetime
    end: datetime
    old: str
    new: str
    usual: DetectorOptions
    overlap: Overlap


@dataclass(frozen=True, slots=True)
class Side:
    """An incident as one of the two makes it; `told_at` is when people would have heard of it."""

    starts_at: datetime
    told_at: datetime
    ends_at: datetime | None
    severity: str
    observed: float
    expected: float
    score: float


@dataclass(frozen=True, slots=True)
class ChangedIncident:
    """One incident of either; `old` and `new` are None where it has none."""

    rule: str
    labels: dict[str, str]
    change: Change
    old: Side | None
    new: Side | None


def contrast(
    connection: Connection, rule: Rule, pairs: Sequence[Pair], span: Span
) -> tuple[list[ChangedIncident], int]:
    """The incidents of a rule in the span, unchanged ones too, and how many series were replayed."""
    bucket = span.usual.bucket
    moved = moves(rule, pairs, bucket)
    silences = sources.silences(connection)
    found: list[ChangedIncident] = []
    by_clock = _series_by_clock(rule, _keys(connection, rule, moved, span))
    for source, keys in by_clock.items():
        clock = _Clock(connection, rule, source, silences.get(source or sources.ALL_SOURCES, ()), span)
        old, new = clock.replay(keys, moved)
        for key in sorted(keys):
            labels = rule.labels(key)
            sides = [_told(series[key].episodes) if key in series else [] for series in (old, new)]
            found += [
                ChangedIncident(rule.name, labels, change, _side(rule, before), _side(rule, after))
                for change, before, after in matched(sides[0], sides[1], since=span.start)
            ]
    return found, sum(map(len, by_clock.values()))


def matched(
    old: Sequence[Episode], new: Sequence[Episode], *, since: datetime
) -> Iterator[tuple[Change, Episode | None, Episode | None]]:
    """Incidents of one series side by side; of those that both told of before `since` nothing is said."""
    left = list(new)
    for before in old:
        same = [one for one in left if _are_same(before, one)]
        after = min(same, key=lambda one: abs(_told_at(one) - _told_at(before)), default=None)
        if after is None:
            if _told_at(before) > since:
                yield "lost", before, None
            continue
        left.remove(after)
        if max(_told_at(before), _told_at(after)) > since:
            difference = _told_at(after) - _told_at(before)
            yield ("later" if difference > timedelta(0) else "earlier" if difference else "same"), before, after
    for after in left:
        if _told_at(after) > since:
            yield "gained", None, after


class _Clock:
    """The series of one rule that go by one clock."""

    def __init__(
        self, connection: Connection, rule: Rule, source: str | None, silences: Sequence[Silence], span: Span
    ) -> None:
        self._connection = connection
        self._rule = rule
        self._source = source
        self._silences = silences
        self._span = span
        self._options = rule.detector(span.usual)

    def replay(
        self, keys: set[Key], moved: Mapping[datetime, Counts]
    ) -> tuple[dict[Key, SeriesTimeline], dict[Key, SeriesTimeline]]:
        """The series at the end of the span, by the champion's and by the candidate's verdicts."""
        span, bucket, rule = self._span, self._options.bucket, self._rule
        known = reread(
            self._connection, rule, self._source, span.usual, self._silences,
            start=span.start - LEARNS, end=span.start, before=span.end, keys=keys,
        )  # fmt: skip
        old = {key: SeriesTimeline(self._options, deepcopy(one.to_dict())) for key, one in known.items()}
        new = {key: SeriesTimeline(self._options, deepcopy(one.to_dict())) for key, one in known.items()}
        counts: defaultdict[datetime, dict[Key, tuple[int, int]]] = defaultdict(dict)
        for row in rule_counts(self._connection, rule, self._source, bucket, span.start, span.end):
            counts[row.bucket_at][row.key] = row.judged(rule.counted)
        switches, totals = self._switches()
        for at, is_after_gap in self._buckets():
            switches.advance(at, {span.new: totals[at]} if totals.get(at) else {}, {}, _nothing_usual)
            before = counts.get(at, {})
            after = applied(before, moved.get(at, {}))
            for key in keys:
                _advance(old, self._options, key, at, before, is_after_gap)
                if key in new and rule.counted == "negative":
                    new[key].adjust(switches.factors(rule.labels(key)), 0.0)
                _advance(new, self._options, key, at, after, is_after_gap)
        return old, new

    def _buckets(self) -> Iterator[tuple[datetime, bool]]:
        """Those of the span, with what is known of the time just before it."""
        span, bucket = self._span, self._options.bucket
        past = self._active(span.start - LEARNS, span.start)
        walked = walk(
            self._active(span.start, span.end), bucket, after=past[-1] if past else None, silences=self._silences
        )
        return ((at, is_after_gap) for at, is_after_gap in walked if at >= span.start)

    def _active(self, after: datetime, before: datetime) -> list[datetime]:
        return bucket_counts.active_buckets(
            self._connection,
            source=self._source,
            bucket=self._options.bucket,
            after=after,
            before=before,
            limit=MOST_BUCKETS,
        )

    def _switches(self) -> tuple[ModelSwitches, dict[datetime, int]]:
        """What is known of the models at the start, as if one had judged all before it, and documents by bucket."""
        span, windows = self._span, self._options.windows
        switches = ModelSwitches(windows, {(span.old, span.new): span.overlap})
        earliest = span.start - windows[-1] * self._options.bucket
        found = model_switches.totals_by_version(
            self._connection, source=self._source, bucket=self._options.bucket, start=earliest, end=span.end
        )
        totals = {at: sum(by_version.values()) for at, by_version in found.items()}
        for step in range(windows[-1]):
            at = earliest + step * self._options.bucket
            switches.advance(at, {span.old: totals.get(at, 0) or 1}, {}, _nothing_usual)
        return switches, totals


def _nothing_usual(version: str, at: datetime) -> dict[str, tuple[int, int]]:
    return {}


def _advance(
    series: dict[Key, SeriesTimeline],
    options: DetectorOptions,
    key: Key,
    at: datetime,
    counts: Counts,
    is_after_gap: bool,
) -> None:
    if key not in series and key not in counts:
        return
    timeline = series.setdefault(key, SeriesTimeline(options))
    timeline.advance(at, *counts.get(key, (0, 0)), is_after_gap=is_after_gap)


def _keys(connection: Connection, rule: Rule, moved: Mapping[datetime, Counts], span: Span) -> list[Key]:
    """The largest series of the span, by either."""
    totals = {one.key: one.total for one in rule_totals(connection, rule, None, span.start, span.end)}
    for of_bucket in moved.values():
        for key, (_, total) in of_bucket.items():
            totals[key] = totals.get(key, 0) + max(0, total)
    return sorted(totals, key=lambda key: (-totals[key], key))[:MOST_SERIES]


def _series_by_clock(rule: Rule, keys: Sequence[Key]) -> dict[str | None, set[Key]]:
    found: defaultdict[str | None, set[Key]] = defaultdict(set)
    for key in keys:
        found[rule.labels(key)["source"] if rule.is_per_source else None].add(key)
    return dict(found)


def _told(episodes: Sequence[Episode]) -> list[Episode]:
    return [one for one in episodes if not one.is_pending]


def _told_at(episode: Episode) -> datetime:
    return episode.held_at or episode.detected_at


def _are_same(one: Episode, other: Episode) -> bool:
    return (one.ends_at is None or other.starts_at <= one.ends_at + NEAR) and (
        other.ends_at is None or one.starts_at <= other.ends_at + NEAR
    )


def _side(rule: Rule, episode: Episode | None) -> Side | None:
    if episode is None:
        return None
    return Side(
        episode.starts_at,
        _told_at(episode),
        episode.ends_at,
        rule.severity(episode.severity),
        episode.observed,
        round(episode.expected, 2),
        round(episode.score, 2),
    )
