"""What the detector expects of the buckets of a chart, which may be shorter or longer than its own. Pure.

A count is expected by level times hour of day (`CountBaseline`); longer buckets are the sum of their hours, and scatter
as the nearest window that the detector judges. A share is expected to be the usual one, and scatters with the number
of documents (`ShareBaseline`). The bounds are the central 95 % of the distributions that the detector judges with.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from math import exp, lgamma, sqrt
from typing import Any, Final

from alerts.detection.intervals import COVERAGE, predictive_interval
from alerts.detection.learned import Learned

HOUR: Final = timedelta(hours=1)
NORMAL_FROM: Final = 20_000.0  # a mean from which on a normal distribution is as good, and no sum is needed
NORMAL_BELOW: Final = 0.02  # a correlation: below, shares of many documents are normal
MOST_SUMMED: Final = 1_000  # documents; more narrow the bounds of a share no further where correlation is high
DEVIATIONS: Final = 1.96  # of a normal distribution, to COVERAGE


@dataclass(frozen=True, slots=True)
class Bound:
    """What is expected of one bucket, and between which bounds it usually falls."""

    expected: float
    lower: float
    upper: float


class Expecting:
    """What one state of a detector says of buckets of one length."""

    def __init__(self, state: Mapping[str, Any], bucket: timedelta, step: timedelta, share_steps: int) -> None:
        """Args:
        state: what `Learned.to_dict` gave.
        bucket: the detector's.
        step: the chart's.
        share_steps: a point of the share is over so many of the chart's buckets.
        """
        self._bucket = bucket
        self._piece = max(min(step, HOUR), bucket)
        self._pieces = max(1, round(step / self._piece))
        self._part = min(1.0, step / bucket)
        self._of_piece = Learned.restored(state, [round(self._piece / bucket)]).counts[0]
        self._dispersion = Learned.restored(state, [max(1, round(step / bucket))]).counts[0].dispersion
        self._share = Learned.restored(state, [max(1, round(step * share_steps / bucket))]).share

    def count(self, at: datetime) -> Bound:
        """Negatives of the bucket that starts then."""
        last = self._piece - self._bucket  # the detector goes by the hour in which a window's last bucket starts
        mean = self._part * sum(
            self._of_piece.expected((at + nth * self._piece + last).hour) for nth in range(self._pieces)
        )
        if mean >= NORMAL_FROM:
            deviation = DEVIATIONS * sqrt(self._dispersion * mean)
            return Bound(mean, max(0.0, mean - deviation), mean + deviation)
        return Bound(mean, *predictive_interval(mean, self._dispersion))

    def share(self, documents: int) -> Bound | None:
        """Of so many documents; None of none."""
        if not documents:
            return None
        usual = self._share.usual(0)
        return Bound(usual, *share_interval(rounded(documents), usual, self._share.correlation(0)))


def rounded(documents: int) -> int:
    """To two digits, so that neighbouring buckets share their bounds."""
    unit = 10 ** max(0, len(str(documents)) - 2)
    return max(1, round(documents / unit) * unit)


@lru_cache(maxsize=4096)
def share_interval(documents: int, usual: float, correlation: float) -> tuple[float, float]:
    """The central interval of the share that a beta-binomial with this mean and intra-class correlation gives."""
    if documents > MOST_SUMMED and correlation < NORMAL_BELOW:
        spread = usual * (1.0 - usual) * (1.0 + (documents - 1.0) * correlation) / documents
        deviation = DEVIATIONS * sqrt(spread)
        return max(0.0, usual - deviation), min(1.0, usual + deviation)
    n = min(documents, MOST_SUMMED)
    tail = (1.0 - COVERAGE) / 2.0
    scale = 1.0 / correlation - 1.0
    alpha, beta = usual * scale, (1.0 - usual) * scale
    probability = exp(lgamma(n + beta) - lgamma(n + scale) + lgamma(scale) - lgamma(beta))  # of no negative at all
    below, lower = probability, None
    for k in range(n):
        if lower is None and below > tail:
            lower = k
        if below >= 1.0 - tail:
            return (k if lower is None else lower) / n, k / n
        probability *= (n - k) / (k + 1.0) * (k + alpha) / (n - k - 1.0 + beta)
        below += probability
    return (n if lower is None else lower) / n, 1.0


def sums(values: Sequence[int], steps: int) -> list[int]:
    """Of each value and the `steps` - 1 before it."""
    total, found = 0, []
    for nth, value in enumerate(values):
        total += value - (values[nth - steps] if nth >= steps else 0)
        found.append(total)
    return found
