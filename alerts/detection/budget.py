"""How many false alarms all series together may cost: a threshold from the scores of a calm week. Pure.

A threshold that suits one series gives ten thousand of them many alarms by chance, and real series scatter more than
any model of them. So the scores of all series of a clock that do not fire are pooled over a week; above their 99.9 %
quantile `u` they fall off exponentially, by `e` on average. The threshold at which `per_thousand` buckets a day of a
thousand series would pass by chance is u + e * ln(0.001 * buckets a day * 1000 / per_thousand). It only ever raises
what the sensitivity asks for.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import log
from typing import Any, Final

import msgspec

from alerts.detection.detectors import SHARE_PART, Verdict

KEPT_DAYS: Final = 7
BIN: Final = 0.1
TAIL: Final = 0.001
FEWEST_SCORES: Final = 20_000  # in the pool; fewer have no tail to speak of
FEWEST_TAIL_SCORES: Final = 20
MIN_PART: Final = 1.0  # of count and of share; a lower score is none
MOST_EXTRA: Final = 1.0  # a week full of true surges must not make the detector blind
HOUR: Final = timedelta(hours=1)


class _Day(msgspec.Struct):
    """`bins`: how many scores, by their lower edge in tenths; those of zero are in `scores` alone."""

    scores: int = 0
    bins: dict[str, int] = {}


class _State(msgspec.Struct):
    days: dict[str, _Day] = {}
    extra: float = 0.0
    fitted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Tail:
    """The far end of the pooled scores: `part` of them reach `quantile`, and pass it by `excess` on average."""

    quantile: float
    excess: float
    part: float

    def threshold(self, bucket: timedelta, per_thousand: float) -> float:
        """Where chance stays within the budget of firing buckets a day for a thousand series."""
        return self.quantile + self.excess * log(
            max(1.0, self.part * 1000 * (timedelta(days=1) / bucket) / per_thousand)
        )


class ScorePool:
    """The scores of one clock's series; `to_dict` is all it knows."""

    def __init__(
        self, bucket: timedelta, *, per_thousand: float, base: float, state: dict[str, Any] | None = None
    ) -> None:
        """Args:
        base: the threshold that the sensitivity asks for.
        """
        self._bucket, self._per_thousand, self._base = bucket, per_thousand, base
        self._state = _State() if state is None else msgspec.convert(state, _State)

    @property
    def extra(self) -> float:
        """What every threshold is raised by."""
        return self._state.extra

    def begin(self, at: datetime) -> bool:
        """Before the series are judged in this bucket; once an hour the tail is fitted anew.

        Returns:
            Whether `extra` has changed.
        """
        state, hour = self._state, at.replace(minute=0, second=0, microsecond=0)
        if state.fitted_at is not None and state.fitted_at <= hour < state.fitted_at + HOUR:
            return False
        state.fitted_at = hour
        first = (at - timedelta(days=KEPT_DAYS)).date().isoformat()
        for day in [day for day in state.days if day < first]:
            del state.days[day]
        before = state.extra
        tail = self.tail()
        wanted = tail.threshold(self._bucket, self._per_thousand) - self._base if tail else 0.0
        state.extra = min(max(wanted, 0.0), MOST_EXTRA)
        return state.extra != before

    def add(self, verdict: Verdict) -> None:
        """Take in what a series that is neither learning nor in an episode scored."""
        day = self._state.days.get(key := verdict.bucket_at.date().isoformat())
        if day is None:
            day = self._state.days[key] = _Day()
        day.scores += 1
        if verdict.score_count >= MIN_PART and verdict.score_share >= MIN_PART:
            # The threshold that it would reach: a part of it must come from the share (`SpikeDetector`).
            reached = min(verdict.score, verdict.score_share / SHARE_PART)
            tenth = str(int(reached / BIN))
            day.bins[tenth] = day.bins.get(tenth, 0) + 1

    def tail(self) -> Tail | None:
        """As fitted to what the pool holds; None while that is too little."""
        scores = sum(day.scores for day in self._state.days.values())
        if scores < FEWEST_SCORES:
            return None
        bins: dict[int, int] = {}
        for day in self._state.days.values():
            for tenth, times in day.bins.items():
                bins[int(tenth)] = bins.get(int(tenth), 0) + times
        wanted, above, excess = TAIL * scores, 0, 0.0
        for lower in sorted(bins, reverse=True):
            above += bins[lower]
            excess += bins[lower] * (lower + 0.5) * BIN
            if above >= wanted:
                quantile = lower * BIN
                return (
                    Tail(quantile, excess / above - quantile, above / scores) if above >= FEWEST_TAIL_SCORES else None
                )
        return None

    def to_dict(self) -> dict[str, Any]:
        """All that is known, as JSON values."""
        state: dict[str, Any] = msgspec.to_builtins(self._state)
        return state
