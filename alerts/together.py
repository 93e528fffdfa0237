"""The timelines of one clock, judged together where there are many of them."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from alerts.detector_arrays import SpikeDetectors
from alerts.detectors import DetectorOptions
from alerts.timeline import SeriesTimeline

FEWEST = 40  # with fewer, one after the other is quicker


class Together:
    """Advances the same timelines bucket by bucket. Timelines may join at the end of the sequence, none may leave.

    While they are judged together, what was learned is not in the timelines: `part` brings it back.
    """

    def __init__(self, options: DetectorOptions) -> None:
        self._options = options
        self._detectors: SpikeDetectors | None = None
        self._timelines: Sequence[SeriesTimeline] = ()

    def advance(
        self,
        timelines: Sequence[SeriesTimeline],
        bucket_at: datetime,
        counts: Sequence[tuple[int, int]],
        *,
        is_after_gap: bool = False,
    ) -> None:
        """`SeriesTimeline.advance` of each with its (negatives, documents)."""
        if self._detectors is None and len(timelines) < FEWEST:
            for timeline, (negatives, total) in zip(timelines, counts, strict=True):
                timeline.advance(bucket_at, negatives, total, is_after_gap=is_after_gap)
            return
        detectors = self._joined(timelines)
        if is_after_gap:
            detectors.skip_gap()
            for timeline in timelines:
                timeline.end_episode()
        negatives_of, totals_of = np.array(counts, dtype=np.int64).T
        verdicts = detectors.observe(bucket_at, negatives_of, totals_of)
        goes_on = np.array([timeline.is_in_episode for timeline in timelines])
        for index in np.flatnonzero(verdicts.is_firing | goes_on).tolist():  # `fold` changes no other
            timelines[index].take(verdicts.of(index))

    def part(self) -> None:
        """Give every timeline what was learned of its series."""
        if self._detectors is not None:
            for timeline, learned in zip(self._timelines, self._detectors.learned(), strict=True):
                timeline.learned = learned
        self._detectors = None

    def _joined(self, timelines: Sequence[SeriesTimeline]) -> SpikeDetectors:
        if self._detectors is None:
            self._detectors = SpikeDetectors(self._options)
        self._detectors.add([timeline.learned for timeline in timelines[len(self._detectors) :]])
        self._timelines = timelines
        return self._detectors
