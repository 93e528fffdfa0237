"""The spike detector of one series: negatives surge against their own past, in count and in share.

Pure and deterministic: values in, a `Verdict` out, constant-size state. For each closed bucket the sums over the
last `WINDOWS` buckets are judged against the baselines as they stood before, then the baselines learn (clipped).

    score_count = mean over windows of -log10 P(at least so many negatives | usual level x hour of day)
    score_share = mean over windows of -log10 P(at least so many of these documents | usual share)

A surge needs both: more volume with the usual share is attention, not anger. Unless most of it is negative anyway:
where the usual share leaves no room to rise, an overwhelming count is enough.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from alerts.baselines import CountBaseline, Pace, ShareBaseline

Sensitivity = Literal["high", "medium", "low"]

THRESHOLDS: dict[Sensitivity, float] = {"high": 4.0, "medium": 4.5, "low": 5.0}
MIN_SCORE_SHARE = 2.0
MIN_SCORE_COUNT = 1.0
HIGH_USUAL_SHARE = 0.4  # a series with so many negatives has little room for the share to rise: there ...
MAJORITY = 0.5  # ... volume itself is bad news from this share in the window on ...
MAJORITY_EXTRA = 1.5  # ... if the count alone passes the threshold by so much
YOUNG = timedelta(days=7)  # a younger series has seen no full week: its threshold is higher by YOUNG_EXTRA
YOUNG_EXTRA = 1.0
WINDOWS = (1, 3, 12, 48)
LONGEST_WINDOW = timedelta(days=7)  # but a 48-day sum of daily buckets would drown every surge
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
        return tuple(w for w in WINDOWS if w == 1 or w * self.bucket <= LONGEST_WINDOW)

    @property
    def hour_buckets(self) -> int:
        """How many buckets make an hour; at least one."""
        return max(1, round(HOUR / self.bucket))

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


class _State(msgspec.Struct):
    """Everything a detector knows; `empty_run` counts the buckets without a document at the end of `recent`."""

    counts: list[CountBaseline]
    share: ShareBaseline
    recent: list[tuple[int, int]] = []
    seen_buckets: int = 0
    seen_documents: int = 0
    empty_run: int = 0


class SpikeDetector:
    """One series. Not thread-safe; `to_dict` is everything it knows."""

    def __init__(self, options: DetectorOptions, state: dict[str, Any] | None = None) -> None:
        """Args:
        state: what `to_dict` gave, under the same bucket length; None for a new series.
        """
        self._options = options
        self._pace = Pace.of(options.bucket)
        self._windows = options.windows
        self._recent_windows = max(1, sum(w <= options.hour_buckets for w in self._windows))
        self._keep = max(self._windows[-1], options.hour_buckets)
        self._state = (
            _State([CountBaseline() for _ in self._windows], ShareBaseline.of(len(self._windows)))
            if state is None
            else msgspec.convert(state, _State)
        )

    def observe(self, bucket_at: datetime, negatives: int, total: int) -> Verdict:
        """Judge the next bucket, then learn it. Buckets come in order and without holes; see `skip_gap`."""
        hour, state = bucket_at.hour, self._state
        state.recent.append((negatives, total))
        del state.recent[: -self._keep]
        state.seen_buckets += 1
        state.seen_documents += total
        state.empty_run = 0 if total else state.empty_run + 1
        if state.empty_run >= self._keep:
            return self._observe_silence(bucket_at, hour)
        sums = self._window_sums()
        verdict = self._judge(bucket_at, hour, sums)
        if verdict.is_firing:
            verdict = replace(verdict, state=self.to_dict())
        for index, (x, n) in enumerate(sums):
            state.counts[index].learn(x, hour, self._pace)
            state.share.learn_window(x, n, index, self._pace)
        state.share.learn_bucket(negatives, total, self._pace)
        return verdict

    def judge_again(self, bucket_at: datetime) -> Verdict:
        """Judge the newest bucket that was counted once more, and learn nothing; the state is a `Verdict.state`."""
        return self._judge(bucket_at, bucket_at.hour, self._window_sums())

    def skip_gap(self) -> None:
        """Nothing is known of the time since the last bucket: windows start anew, baselines stay."""
        self._state.recent.clear()
        self._state.empty_run = 0

    def _observe_silence(self, bucket_at: datetime, hour: int) -> Verdict:
        """The cheap way through true zeros: nothing can fire, and only the levels fall."""
        for baseline in self._state.counts:
            baseline.learn(0.0, hour, self._pace)
        self._state.share.learn_bucket(0, 0, self._pace)
        return self._verdict(bucket_at, hour, [(0, 0)], [0.0], [0.0])

    def _window_sums(self) -> list[tuple[int, int]]:
        """Negatives and documents of each window that `recent` fills."""
        sums = []
        x = n = 0
        recent, start = self._state.recent, len(self._state.recent)
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
        by_count = [self._state.counts[i].surprise(x, hour) for i, (x, _) in enumerate(sums)]
        by_share = [self._state.share.surprise(x, n, i) for i, (x, n) in enumerate(sums)]
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
        score_count, score_share = sum(by_count) / len(by_count), sum(by_share) / len(by_share)
        recent = min(len(sums), self._recent_windows)
        strongest = max(range(len(sums)), key=lambda i: by_count[i] + by_share[i])
        is_learning = (
            self._state.seen_buckets <= options.learning or self._state.seen_documents < options.learning_documents
        )
        is_young = self._state.seen_buckets * options.bucket < YOUNG
        threshold = options.fires_from + (YOUNG_EXTRA if is_young else 0.0)
        observed, documents = sums[strongest]
        is_both = score_count + score_share >= threshold and score_share >= MIN_SCORE_SHARE
        is_mostly_negative = (
            self._state.share.share >= HIGH_USUAL_SHARE
            and observed >= MAJORITY * documents
            and score_count >= threshold + MAJORITY_EXTRA
        )
        return Verdict(
            bucket_at=bucket_at,
            score_count=score_count,
            score_share=score_share,
            observed=float(observed),
            expected=self._state.counts[strongest].expected(hour),
            documents=documents,
            expected_share=self._state.share.share,
            window=self._windows[strongest] * options.bucket,
            recent_score=sum(by_count[:recent]) / recent + sum(by_share[:recent]) / recent,
            threshold=threshold,
            is_firing=not is_learning
            and (is_both or is_mostly_negative)
            and score_count >= MIN_SCORE_COUNT
            and self._negatives_of_last_hour() >= options.min_negatives_per_hour,
            is_learning=is_learning,
        )

    def _negatives_of_last_hour(self) -> int:
        return sum(x for x, _ in self._state.recent[-self._options.hour_buckets :])

    def to_dict(self) -> dict[str, Any]:
        """Everything learned, as JSON values."""
        state: dict[str, Any] = msgspec.to_builtins(self._state)
        return state
