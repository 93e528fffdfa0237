"""Learns one series again from where it began, up to a judged bucket: what its baselines have to be."""

from collections import deque
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from alerts.detection.judgement import Judgement
from alerts.detection.timeline import SeriesTimeline, walk
from storage import bucket_counts, excess_counts, sources
from storage.excess_counts import Scope

MOST_BUCKETS: Final = 1_000_000  # nine years of five minutes


def relearn(connection: Connection, scope: Scope, judgement: Judgement) -> Judgement | None:
    """The judgement as the counts of now lead to it; None where the bucket does not fire then.

    Follows the clock of the series as `alerts.detection.judging` does, in a tenth of a millisecond a bucket. Counts
    that changed when the correction's length was over make a difference here: the detector did not go back for them.
    """
    bucket, source = judgement.options.bucket, scope.only("source")
    active = bucket_counts.active_buckets(
        connection, source=source, bucket=bucket, after=None, before=judgement.ends_at, limit=MOST_BUCKETS
    )
    if not active:
        return None
    counts = excess_counts.per_bucket(connection, scope, bucket, active[0], judgement.ends_at)
    silences = sources.silences(connection).get(source or sources.ALL_SOURCES, ())
    timeline = SeriesTimeline(judgement.options)
    # A series begins with its first document; that of a rule made later, with the first that the rule read again.
    steps: deque[tuple[datetime, bool]] = deque(maxlen=judgement.state["seen_buckets"])
    for step in walk(active, bucket, after=None, silences=silences):
        if steps or step[0] in counts:
            steps.append(step)
    state: dict[str, Any] | None = None
    for at, is_after_gap in steps:
        state = timeline.advance(at, *counts.get(at, (0, 0)), is_after_gap=is_after_gap).state
    return None if state is None else Judgement(judgement.bucket_at, judgement.options, state)
