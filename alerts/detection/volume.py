"""The volume part of the detector on any series of numbers: `opinion detect --series`.

Row by row, constant state. Score: the mean over four window lengths of -log10 of a negative binomial tail,
mapped to 0..1 so that `THRESHOLD` becomes 0.5, behind a one-day hold: after an alarm only a higher score passes.
"""

from collections import deque
from datetime import datetime, timedelta
from math import isfinite

from alerts.detection.baselines import CountBaseline, Pace

WINDOWS = (1, 3, 12, 48)
THRESHOLD = 3.25
HOLD = timedelta(days=1)
STEPS_KEPT = 25  # the sampling step is the median of the last so many


class VolumeDetector:
    """Scores one row after another; sees nothing but the rows so far."""

    def __init__(self) -> None:
        self._baselines = [CountBaseline() for _ in WINDOWS]
        self._recent: deque[float] = deque(maxlen=WINDOWS[-1])
        self._steps: deque[timedelta] = deque(maxlen=STEPS_KEPT)
        self._step = timedelta(minutes=5)
        self._pace = Pace.of(self._step)
        self._last_at: datetime | None = None
        self._held_until: datetime | None = None
        self._held_score = 0.0

    def observe(self, at: datetime, value: float) -> float:
        """The anomaly score of this row, 0..1; 0.5 and more is an alarm.

        Repeated and backward times are taken as the next row, a gap longer than the longest window empties the
        windows, and a value that is not a finite number scores 0 and teaches nothing.
        """
        self._measure_step(at)
        if not isfinite(value):
            return 0.0
        value = max(value, 0.0)
        self._recent.append(value)
        recent = list(self._recent)
        surprises = []
        for window, baseline in zip(WINDOWS, self._baselines, strict=True):
            if len(recent) < window:
                break
            x = sum(recent[-window:])
            surprises.append(baseline.surprise(x, at.hour))
            baseline.learn(x, at.hour, self._pace)
        return self._hold(at, sum(surprises) / len(surprises))

    def _measure_step(self, at: datetime) -> None:
        if self._last_at is not None and at > self._last_at:
            step = at - self._last_at
            if step > self._step * WINDOWS[-1]:
                self._recent.clear()
            self._steps.append(step)
            usual = sorted(self._steps)[len(self._steps) // 2]
            if usual != self._step:
                self._step = usual
                self._pace = Pace.of(usual)
        self._last_at = at

    def _hold(self, at: datetime, score: float) -> float:
        if score >= THRESHOLD:
            is_held = self._held_until is not None and at < self._held_until
            if is_held and score <= self._held_score:
                score = THRESHOLD * 0.99
            else:
                self._held_until, self._held_score = at + HOLD, score
        return score / (score + THRESHOLD)
