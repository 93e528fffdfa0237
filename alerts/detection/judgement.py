"""What one bucket was judged from, kept so that it can be judged again, also without some documents. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from alerts.detection.baselines import CountBaseline
from alerts.detection.detectors import DetectorOptions, SpikeDetector, Verdict
from alerts.detection.learned import Learned

Counts = Mapping[datetime, tuple[int, int]]
"""Negatives and documents by the start of their bucket; a bucket that is not named has none."""


class Judgement(msgspec.Struct, frozen=True):
    """A firing bucket.

    Attributes:
        state: `Verdict.state`: baselines from before the bucket, and the counts of the newest buckets, it included.
    """

    bucket_at: datetime
    options: DetectorOptions
    state: dict[str, Any]

    @property
    def ends_at(self) -> datetime:
        return self.bucket_at + self.options.bucket

    @property
    def starts_at(self) -> datetime:
        """Start of the oldest bucket whose count is among those judged."""
        return self.ends_at - len(self.state["recent"]) * self.options.bucket

    @property
    def bucket_starts(self) -> list[datetime]:
        """Start of each bucket judged, oldest first."""
        return [self.starts_at + nth * self.options.bucket for nth in range(len(self.state["recent"]))]

    def verdict(self) -> Verdict:
        """Judge the bucket again."""
        return SpikeDetector(self.options, self.state).judge_again(self.bucket_at)

    def without(self, removed: Counts) -> "Judgement":
        """The same bucket had these documents not been there.

        Only the counts of the judged buckets change, four hours of five-minute ones. What the series had learned
        before stays: it may have learned from earlier documents of the same kind, clipped.
        """
        return self.with_counts(
            [
                (max(0, negative - taken[0]), max(0, total - taken[1]))
                for at, (negative, total) in zip(self.bucket_starts, self.state["recent"], strict=True)
                for taken in (removed.get(at, (0, 0)),)
            ]
        )

    def with_counts(self, recent: Sequence[tuple[int, int]]) -> "Judgement":
        """The same bucket with these counts of the judged buckets, oldest first."""
        return Judgement(self.bucket_at, self.options, self.state | {"recent": [list(one) for one in recent]})

    def baseline(self, window: timedelta) -> CountBaseline:
        """What was usual of the sums over a window of this length, before the bucket; of one that is not judged, as
        the nearest one says."""
        return Learned.restored(self.state, [round(window / self.options.bucket)]).counts[0]


def judgement_of(frozen: Mapping[str, Any] | None) -> Judgement | None:
    """Out of what SQL keeps; None where nothing was kept, or a detector of another kind kept it."""
    try:
        judgement = msgspec.convert(frozen, Judgement | None)
        if judgement is not None:
            judgement.verdict()
    except (msgspec.ValidationError, LookupError, TypeError, ZeroDivisionError, ValueError):
        return None
    return judgement
