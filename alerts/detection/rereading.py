"""One rule over the counts that are stored: what its series count, and what they would have learned of the past."""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from alerts.detection.detectors import DetectorOptions, Verdict
from alerts.detection.rules import Rule
from alerts.detection.timeline import SeriesTimeline, walk
from storage import bucket_counts
from storage.bucket_counts import BucketCount, KeyTotal
from storage.sources import Silence

Key = tuple[str, ...]
OnVerdict = Callable[[Key, Verdict, SeriesTimeline], None]

MOST_BUCKETS = 1_000_000
ROWS_AT_ONCE = 100_000  # counts held in memory, about


def rule_counts(
    connection: Connection, rule: Rule, source: str | None, bucket: timedelta, start: datetime, end: datetime
) -> list[BucketCount]:
    """What the series of a rule that follow this clock count in [start, end)."""
    return bucket_counts.counts(
        connection, by=rule.group_by, source=source, bucket=bucket, start=start, end=end, where=dict(rule.where)
    )


def rule_totals(
    connection: Connection,
    rule: Rule,
    source: str | None,
    start: datetime,
    end: datetime,
    *,
    limit: int | None = None,
) -> list[KeyTotal]:
    """The series of a rule that follow this clock, with their counts in [start, end); with `limit` the largest."""
    where = dict(rule.where) | ({"source": (source,)} if source is not None else {})
    return bucket_counts.key_totals(connection, rule.group_by, start, end, where=where, limit=limit)


def reread(
    connection: Connection,
    rule: Rule,
    source: str | None,
    usual: DetectorOptions,
    silences: Sequence[Silence],
    *,
    start: datetime,
    end: datetime,
    before: datetime,
    keys: Collection[Key] | None = None,
    on_verdict: OnVerdict = lambda *_: None,
) -> dict[Key, SeriesTimeline]:
    """The rule's series as they stand at `end`, after they have seen every bucket since `start`.

    Args:
        source: whose clock they follow.
        usual: the detector's settings, without the rule's own.
        before: documents before this time tell whether the buckets just before `end` were empty or unheard.
        keys: these series only; None: all.
        on_verdict: told of every bucket of every series, in order.
    """
    options = rule.detector(usual)
    series: dict[Key, SeriesTimeline] = {}
    active = bucket_counts.active_buckets(
        connection, source=source, bucket=options.bucket, after=start, before=before, limit=MOST_BUCKETS
    )
    counts: dict[datetime, dict[Key, tuple[int, int]]] = {}
    loaded, piece = start, timedelta(days=1)
    for at, is_after_gap in walk(active, options.bucket, after=None, silences=silences):
        if at >= end:
            break
        if at >= loaded:
            loaded = min(at + piece, end)
            rows = rule_counts(connection, rule, source, options.bucket, at, loaded)
            piece = min(piece * (2 if len(rows) < ROWS_AT_ONCE // 2 else 1), timedelta(days=14))
            counts = _by_bucket(rule, rows, keys)
        groups = counts.get(at, {})
        for key in groups:
            if key not in series:
                series[key] = SeriesTimeline(options)
        for key, timeline in series.items():
            verdict = timeline.advance(at, *groups.get(key, (0, 0)), is_after_gap=is_after_gap)
            on_verdict(key, verdict, timeline)
    return series


def _by_bucket(
    rule: Rule, rows: Sequence[BucketCount], keys: Collection[Key] | None
) -> dict[datetime, dict[Key, tuple[int, int]]]:
    found: defaultdict[datetime, dict[Key, tuple[int, int]]] = defaultdict(dict)
    for row in rows:
        if keys is None or row.key in keys:
            found[row.bucket_at][row.key] = row.judged(rule.counted)
    return found
