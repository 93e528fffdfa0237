"""`alerts.detectors.SpikeDetector` over many series at once, in numpy: one column per series.

The same formulas in the same order. What is learned is equal to the last bit, scores to what the last bit of a
logarithm makes of them (property test); a bucket costs a few microseconds a series instead of a hundred.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from alerts import detectors
from alerts.baseline_arrays import CountBaselines, ShareBaselines
from alerts.detectors import DetectorOptions, Verdict
from alerts.learned import Learned
from alerts.pooling import log_weights

Floats: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The verdicts on one bucket of all series, in columns; `of` gives one as its own."""

    options: DetectorOptions
    bucket_at: datetime
    score_count: Floats
    score_share: Floats
    observed: Counts
    expected: Floats
    documents: Counts
    expected_share: Floats
    window: Counts
    recent_score: Floats
    threshold: Floats
    is_firing: Flags
    is_learning: Flags

    def of(self, index: int) -> Verdict:
        """The verdict on one series."""
        return Verdict(
            bucket_at=self.bucket_at,
            score_count=float(self.score_count[index]),
            score_share=float(self.score_share[index]),
            observed=float(self.observed[index]),
            expected=float(self.expected[index]),
            documents=int(self.documents[index]),
            expected_share=float(self.expected_share[index]),
            window=int(self.window[index]) * self.options.bucket,
            recent_score=float(self.recent_score[index]),
            threshold=float(self.threshold[index]),
            is_firing=bool(self.is_firing[index]),
            is_learning=bool(self.is_learning[index]),
        )


class SpikeDetectors:
    """Many series on one clock: every bucket is the next one of all of them. Not thread-safe."""

    def __init__(self, options: DetectorOptions, states: Iterable[Learned] = ()) -> None:
        """Args:
        states: of the first series, under the windows of `options`.
        """
        self._options = options
        self._windows = np.array(options.windows, dtype=np.int64)
        self._log_weights = np.array(log_weights(options.windows))[:, None]
        kept = options.kept_buckets
        self._recent = np.zeros((2, kept, 0), dtype=np.int64)  # negatives and documents: a ring, `_at` is the oldest
        self._at = 0
        self._sums = np.zeros((2, len(self._windows), 0), dtype=np.int64)
        self._of_hour = np.zeros(0, dtype=np.int64)
        self._length = np.zeros(0, dtype=np.int64)
        self._seen = np.zeros((2, 0), dtype=np.int64)  # buckets and documents
        self._empty_run = np.zeros(0, dtype=np.int64)
        self._counts = CountBaselines([], options)
        self._shares = ShareBaselines([], options)
        self.add(list(states))

    def __len__(self) -> int:
        return len(self._length)

    def add(self, states: list[Learned]) -> None:
        """Append series."""
        if not states:
            return
        kept = self._options.kept_buckets
        recent = np.zeros((2, kept, len(states)), dtype=np.int64)
        for column, state in enumerate(states):
            newest = state.recent[-kept:]
            if newest:
                recent[:, kept - len(newest) :, column] = np.array(newest, dtype=np.int64).T
        self._recent = np.concatenate([np.roll(self._recent, -self._at, axis=1), recent], axis=2)
        self._at = 0
        newest_first = self._recent[:, ::-1].cumsum(axis=1)
        self._sums = newest_first[:, self._windows - 1]
        self._of_hour = newest_first[0, self._options.hour_buckets - 1]
        self._length = np.append(self._length, [min(kept, len(state.recent)) for state in states])
        seen = np.array([(state.seen_buckets, state.seen_documents) for state in states], dtype=np.int64)
        self._seen = np.concatenate([self._seen, seen.T], axis=1)
        self._empty_run = np.append(self._empty_run, [state.empty_run for state in states])
        self._counts.append(CountBaselines([state.counts for state in states], self._options))
        self._shares.append(ShareBaselines([state.share for state in states], self._options))

    def observe(self, bucket_at: datetime, negatives: Counts, totals: Counts) -> Verdicts:
        """Judge the next bucket of every series, then learn it; as `SpikeDetector.observe`."""
        hour = bucket_at.hour
        self._push(np.stack([negatives, totals]))
        self._seen[0] += 1
        self._seen[1] += totals
        self._empty_run = np.where(totals > 0, 0, self._empty_run + 1)
        filled = self._length >= self._windows[:, None]
        verdicts = self._judge(bucket_at, hour, filled)
        x, n = self._sums.astype(np.float64)
        self._counts.learn(x, hour, filled)
        self._shares.learn_windows(x, n, filled)
        self._shares.learn_bucket(negatives.astype(np.float64), totals.astype(np.float64))
        return verdicts

    def skip_gap(self) -> None:
        """Nothing is known of the time since the last bucket: windows start anew, baselines stay."""
        self._recent[:] = 0
        self._sums[:] = 0
        self._of_hour[:] = 0
        self._length[:] = 0
        self._empty_run[:] = 0

    def _push(self, counts: Counts) -> None:
        kept = self._options.kept_buckets
        leaving = self._recent[:, (self._at - self._windows) % kept]
        self._sums += counts[:, None] - leaving
        self._of_hour += counts[0] - self._recent[0, (self._at - self._options.hour_buckets) % kept]
        self._recent[:, self._at] = counts
        self._at = (self._at + 1) % kept
        self._length = np.minimum(self._length + 1, kept)

    def _judge(self, bucket_at: datetime, hour: int, filled: Flags) -> Verdicts:
        options, (x, n) = self._options, self._sums
        by_count = np.where(filled, self._counts.surprise(x.astype(np.float64), hour), 0.0)
        by_share = np.where(filled, self._shares.surprise(x.astype(np.float64), n.astype(np.float64)), 0.0)
        score_count, score_share = self._pooled(by_count, filled), self._pooled(by_share, filled)
        recent = options.recent_windows
        recent_score = self._pooled(by_count[:recent], filled[:recent]) + self._pooled(
            by_share[:recent], filled[:recent]
        )
        strength = np.floor((by_count + by_share) * detectors.STRENGTH_STEPS)
        strongest = np.argmax(np.where(filled, strength, -1.0), axis=0)
        column = np.arange(len(self))
        observed = np.where(filled[0], x[strongest, column], 0)
        documents = np.where(filled[0], n[strongest, column], 0)
        is_learning = (self._seen[0] <= options.learning) | (self._seen[1] < options.learning_documents)
        is_young = self._seen[0] < detectors.YOUNG / options.bucket
        full = detectors.THRESHOLDS[options.sensitivity] + np.where(is_young, detectors.YOUNG_EXTRA, 0.0)
        relief = self._relief()
        threshold = full - relief
        share = self._shares.share
        is_both = (score_count + score_share >= threshold) & (score_share >= full * detectors.SHARE_PART - relief)
        is_mostly_negative = (
            (share >= detectors.HIGH_USUAL_SHARE)
            & (observed >= detectors.MAJORITY * documents)
            & (score_count >= threshold + detectors.MAJORITY_EXTRA)
        )
        return Verdicts(
            options=options,
            bucket_at=bucket_at,
            score_count=score_count,
            score_share=score_share,
            observed=observed,
            expected=self._counts.expected(hour)[strongest, column],
            documents=documents,
            expected_share=share,
            window=self._windows[strongest],
            recent_score=recent_score,
            threshold=threshold,
            is_firing=~is_learning
            & (is_both | is_mostly_negative)
            & (score_count >= detectors.MIN_SCORE_COUNT)
            & (self._of_hour >= options.min_negatives_per_hour),
            is_learning=is_learning,
        )

    def _pooled(self, scores: Floats, filled: Flags) -> Floats:
        """`alerts.pooling.pooled` of each column, over the windows that are filled."""
        weighed = np.where(filled, scores + self._log_weights[: len(scores)], -np.inf)
        most = np.where(filled[0], weighed.max(axis=0), 0.0)
        total = np.zeros(len(self))
        for one in weighed:  # in this order: a sum of floats depends on it
            total += 10.0 ** (one - most)
        with np.errstate(divide="ignore"):
            pooled: Floats = np.maximum(0.0, most + np.log10(total))
        return pooled

    def _relief(self) -> Floats:
        occupancy = self._shares.occupancy
        is_quiet = (occupancy > 0.0) & (occupancy < detectors.BUSY)
        relief = detectors.RELIEF * np.log10(detectors.BUSY / np.where(is_quiet, occupancy, detectors.BUSY))
        bounded: Floats = np.minimum(relief, detectors.MOST_RELIEF)
        return bounded

    def learned(self) -> list[Learned]:
        """What is known of each series."""
        recent = np.roll(self._recent, -self._at, axis=1).transpose(2, 1, 0).tolist()
        counts, shares = self._counts.each(), self._shares.each()
        return [
            Learned(
                windows=list(self._options.windows),
                counts=counts[index],
                share=shares[index],
                recent=[(pair[0], pair[1]) for pair in recent[index][len(recent[index]) - length :]],
                seen_buckets=buckets,
                seen_documents=documents,
                empty_run=empty_run,
            )
            for index, (length, buckets, documents, empty_run) in enumerate(
                zip(self._length.tolist(), *self._seen.tolist(), self._empty_run.tolist(), strict=True)
            )
        ]
