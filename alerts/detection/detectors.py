"""The spike detector of one series: negatives surge against their own past, in count and in share.

Pure and deterministic: values in, a `Verdict` out, constant-size state. For each closed bucket the sums over the
last `WINDOWS` buckets are judged against the baselines as they stood before, then the baselines learn (clipped).

    score_count = pooled over windows: -log10 P(at least so many negatives | usual level x hour of day)
    score_share = pooled over windows: -log10 P(at least so many of these documents | usual share)

`alerts.detection.pooling` says how. A surge needs both: more volume with the usual share is attention, not anger.
Unless most of it is negative anyway: where the usual share leaves no room to rise, an overwhelming count is enough.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import floor, log10
from typing import Any, Literal

from alerts.detection.baselines import Pace
from alerts.detection.learned import Learned
from alerts.detection.pooling import log_weights, pooled

Sensitivity = Literal["high", "medium", "low"]

THRESHOLDS: dict[Sensitivity, float] = {"high": 5.6, "medium": 6.1, "low": 6.6}
SHARE_PART = 0.58  # so much of the threshold must come from the share; volume alone is attention
MIN_SCORE_COUNT = 1.0
BUSY = 0.6  # a series with a document in fewer buckets is judged on fewer occasions: chance has as many fewer ...
RELIEF = 1.25  # ... and the thresholds are lower by so many times log10 of that ...
MOST_RELIEF = 1.25  # ... at most by so much
HIGH_USUAL_SHARE = 0.5  # a series with so many negatives has little room for the share to rise: there ...
MAJORITY = 0.5  # ... volume itself is bad news from this share in the window on ...
MAJORITY_EXTRA = 1.5  # ... if the count alone passes the threshold by so much
YOUNG = timedelta(days=7)  # a younger series has seen no full week: its threshold is higher by YOUNG_EXTRA
YOUNG_EXTRA = 1.0
WINDOW_STEPS = (1, 2, 4, 8, 16)  # times the shortest window: a quarter of an hour to four hours
SHORTEST_WINDOW = timedelta(minutes=15)
LONGEST_WINDOW = timedelta(days=7)  # where a bucket is a day, longer sums would drown every surge
STRENGTH_STEPS = 1e6  # windows whose evidence differs by less are equally strong, and the shortest is named
STANDARD_BUCKET = timedelta(minutes=5)
MIN_LEARNING_BUCKETS = 14
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class DetectorOptions:
    """What a person may set. `learning_buckets` is counted in buckets of five minutes; a `threshold` stands instead
    of the sensitivity's."""

    bucket: timedelta = STANDARD_BUCKET
    sensitivity: Sensitivity = "medium"
    learning_buckets: int = 144
    learning_documents: int = 50
    min_negatives_per_hour: int = 5
    threshold: float | None = None

    @property
    def fires_from(self) -> float:
        """The score that a surge needs once its series is old enough."""
        return THRESHOLDS[self.sensitivity] if self.threshold is None else self.threshold

    @property
    def windows(self) -> tuple[int, ...]:
        """Window lengths in buckets, ascending."""
        shortest = max(1, round(SHORTEST_WINDOW / self.bucket))
        return tuple(
            shortest * step for step in WINDOW_STEPS if step == 1 or shortest * step * self.bucket <= LONGEST_WINDOW
        )

    @property
    def hour_buckets(self) -> int:
        """How many buckets make an hour; at least one."""
        return max(1, round(HOUR / self.bucket))

    @property
    def recent_windows(self) -> int:
        """How many of the windows are at most an hour long; at least one."""
        return max(1, sum(window <= self.hour_buckets for window in self.windows))

    @property
    def kept_buckets(self) -> int:
        """How many of the newest buckets a detector remembers one by one."""
        return max(self.windows[-1], self.hour_buckets)

    @property
    def learning(self) -> int:
        """Buckets to see before the first alert."""
        if self.bucket <= STANDARD_BUCKET:
            return round(self.learning_buckets * (STANDARD_BUCKET / self.bucket))
        return max(MIN_LEARNING_BUCKETS, round(self.learning_buckets * (STANDARD_BUCKET / self.bucket)))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the detector says of one bucket.

    Attributes:
        window: how far back the strongest evidence reaches; `observed`, `expected`, `documents` and
            `expected_share` are of that window.
        recent_score: the score over windows of at most an hour; low as soon as a surge is over, while `score`
            still sees it in its longest window.
        is_learning: too little has been seen; never fires.
        state: all that the detector knew when it fired, the bucket counted but nothing learned of it, so that it can
            be judged again; None where it does not fire.
    """

    bucket_at: datetime
    score_count: float
    score_share: float
    observed: float
    expected: float
    documents: int
    expected_share: float
    window: timedelta
    recent_score: float
    threshold: float
    is_firing: bool
    is_learning: bool
    state: dict[str, Any] | None = None

    @property
    def score(self) -> float:
        return self.score_count + self.score_share


class SpikeDetector:
    """One series. Not thread-safe; `learned` is everything it knows."""

    def __init__(self, options: DetectorOptions, state: dict[str, Any] | None = None) -> None:
        """Args:
        state: what `to_dict` gave, under the same bucket length; None for a new series.
        """
        self._options = options
        self._windows = options.windows
        self._paces = [Pace.of(options.bucket, window) for window in self._windows]
        self._weights = log_weights(self._windows)
        self._keep = options.kept_buckets
        self._extra = 0.0
        self.learned = Learned.nothing(self._windows) if state is None else Learned.restored(state, self._windows)

    def observe(self, bucket_at: datetime, negatives: int, total: int) -> Verdict:
        """Judge the next bucket, then learn it. Buckets come in order and without holes; see `skip_gap`."""
        hour, state = bucket_at.hour, self.learned
        state.recent.append((negatives, total))
        del state.recent[: -self._keep]
        state.seen_buckets += 1
        state.seen_documents += total
        state.empty_run = 0 if total else state.empty_run + 1
        if state.empty_run >= self._keep:
            return self._observe_silence(bucket_at, hour)
        sums = self._window_sums()
        verdict = self._judge(bucket_at, hour, sums) if sums else self._calm(bucket_at, hour)
        if verdict.is_firing:
            verdict = replace(verdict, state=self.to_dict())
        for index, (x, n) in enumerate(sums):
            state.counts[index].learn(x, hour, self._paces[index])
            state.share.learn_window(x, n, index, self._paces[index])
        state.share.learn_bucket(negatives, total, self._paces[0])
        return verdict

    def judge_again(self, bucket_at: datetime) -> Verdict:
        """Judge the newest bucket that was counted once more, and learn nothing; the state is a `Verdict.state`."""
        return self._judge(bucket_at, bucket_at.hour, self._window_sums())

    @property
    def options_now(self) -> DetectorOptions:
        """With the threshold that holds at present, see `adjust`."""
        options = self._options
        return replace(options, threshold=options.fires_from + self._extra) if self._extra else options

    def adjust(self, factors: Sequence[float], extra: float) -> None:
        """From the next bucket on, expect what other models would find, and ask for more before firing.

        Args:
            factors: per window, how many negatives its models find where the model that was learned from finds one
                (`alerts.detection.model_switches`); kept with what was learned. One value stands for all windows.
            extra: added to the threshold; not kept.
        """
        factors = [*factors, *[factors[-1]] * len(self._windows)][: len(self._windows)]
        for baseline, factor in zip(self.learned.counts, factors, strict=True):
            baseline.factor = factor
        self.learned.share.factors = factors
        self._extra = extra

    def skip_gap(self) -> None:
        """Nothing is known of the time since the last bucket: windows start anew, baselines stay."""
        self.learned.recent.clear()
        self.learned.empty_run = 0

    def _observe_silence(self, bucket_at: datetime, hour: int) -> Verdict:
        """The cheap way through true zeros: nothing can fire, and only the levels fall."""
        verdict = self._calm(bucket_at, hour)
        for baseline, pace in zip(self.learned.counts, self._paces, strict=True):
            baseline.learn(0.0, hour, pace)
        self.learned.share.learn_bucket(0, 0, self._paces[0])
        return verdict

    def _calm(self, bucket_at: datetime, hour: int) -> Verdict:
        """Nothing to see: true zeros, or windows that do not reach back far enough yet."""
        return self._verdict(bucket_at, hour, [(0, 0)], [0.0], [0.0])

    def _window_sums(self) -> list[tuple[int, int]]:
        """Negatives and documents of each window that `recent` fills."""
        sums = []
        x = n = 0
        recent, start = self.learned.recent, len(self.learned.recent)
        for window in self._windows:
            if window > len(recent):
                break
            for negatives, total in recent[-window:start]:
                x += negatives
                n += total
            start = len(recent) - window
            sums.append((x, n))
        return sums

    def _judge(self, bucket_at: datetime, hour: int, sums: list[tuple[int, int]]) -> Verdict:
        by_count = [self.learned.counts[i].surprise(x, hour) for i, (x, _) in enumerate(sums)]
        by_share = [self.learned.share.surprise(x, n, i) for i, (x, n) in enumerate(sums)]
        return self._verdict(bucket_at, hour, sums, by_count, by_share)

    def _verdict(
        self,
        bucket_at: datetime,
        hour: int,
        sums: list[tuple[int, int]],
        by_count: list[float],
        by_share: list[float],
    ) -> Verdict:
        options = self._options
        score_count, score_share = pooled(by_count, self._weights), pooled(by_share, self._weights)
        recent = options.recent_windows
        strongest = max(range(len(sums)), key=lambda i: floor((by_count[i] + by_share[i]) * STRENGTH_STEPS))
        is_learning = (
            self.learned.seen_buckets <= options.learning or self.learned.seen_documents < options.learning_documents
        )
        is_young = self.learned.seen_buckets * options.bucket < YOUNG
        full = options.fires_from + (YOUNG_EXTRA if is_young else 0.0) + self._extra
        relief = self._relief()
        threshold = full - relief
        observed, documents = sums[strongest]
        is_both = score_count + score_share >= threshold and score_share >= full * SHARE_PART - relief
        is_mostly_negative = (
            self.learned.share.usual(strongest) >= HIGH_USUAL_SHARE
            and observed >= MAJORITY * documents
            and score_count >= threshold + MAJORITY_EXTRA
        )
        return Verdict(
            bucket_at=bucket_at,
            score_count=score_count,
            score_share=score_share,
            observed=float(observed),
            expected=self.learned.counts[strongest].expected(hour),
            documents=documents,
            expected_share=self.learned.share.usual(strongest),
            window=self._windows[strongest] * options.bucket,
            recent_score=pooled(by_count[:recent], self._weights) + pooled(by_share[:recent], self._weights),
            threshold=threshold,
            is_firing=not is_learning
            and (is_both or is_mostly_negative)
            and score_count >= MIN_SCORE_COUNT
            and self._negatives_of_last_hour() >= options.min_negatives_per_hour,
            is_learning=is_learning,
        )

    def _relief(self) -> float:
        """How much lower the thresholds of a quiet series are."""
        occupancy = self.learned.share.occupancy
        return min(RELIEF * log10(BUSY / occupancy), MOST_RELIEF) if 0.0 < occupancy < BUSY else 0.0

    def _negatives_of_last_hour(self) -> int:
        return sum(x for x, _ in self.learned.recent[-self._options.hour_buckets :])

    def without_negatives(self) -> dict[str, Any]:
        """The state of a detector that has seen the same documents and no negative one among them."""
        return self.learned.without_negatives().to_dict()

    def to_dict(self) -> dict[str, Any]:
        """Everything learned, as JSON values."""
        return self.learned.to_dict()
