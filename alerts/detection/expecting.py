"""What the detector expects of the buckets of a chart, whose length is the chart's own. Pure.

The baselines of a series as they stand now are led over the counts from some time before the chart on, bucket by
bucket, as the detector leads them: each bucket is expected first and learned then. So the bounds follow the level of
their own time, while hours of the day and scatter are those known today. A surge raises them a little while it lasts,
as it does in the detector, which clips what it learns. Bounds are the central 95 % of what the detector judges with.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import exp, lgamma, sqrt
from typing import Any, Final

from alerts.detection.baselines import LEVEL_WINDOWS, Pace
from alerts.detection.detectors import DetectorOptions
from alerts.detection.intervals import COVERAGE, predictive_interval
from alerts.detection.learned import Learned
from alerts.detection.timeline import longest_silence

HOUR: Final = timedelta(hours=1)
NORMAL_FROM: Final = 20_000.0  # a mean from which on a normal distribution is as good, and no sum is needed
NORMAL_BELOW: Final = 0.02  # a correlation: below, shares of many documents are normal
MOST_SUMMED: Final = 1_000  # documents; where correlation is high, more of them narrow the bounds no further
DEVIATIONS: Final = 1.96  # of a normal distribution, to COVERAGE


@dataclass(frozen=True, slots=True)
class Bound:
    """What is expected of one bucket, and between which bounds it usually falls."""

    expected: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Expected:
    """Of one bucket: its negatives, and the share of them over some buckets up to it; None: there is nothing to say,
    since nobody was listening, or there are no documents to share."""

    count: Bound | None
    share: Bound | None


def warm_up(options: DetectorOptions, step: timedelta) -> timedelta:
    """How long before a chart to begin, so that the level is that of the time: two of its half-lives."""
    return 2 * LEVEL_WINDOWS * _window(options, step)


def follow(
    state: Mapping[str, Any],
    options: DetectorOptions,
    starts: Sequence[datetime],
    step: timedelta,
    counts: Sequence[tuple[int, int]],
    share_steps: int,
) -> Iterator[Expected]:
    """What is expected of each bucket.

    Args:
        state: what `Learned.to_dict` gave.
        starts, counts: of the chart's buckets and those of the warm-up, in order: when they start, and how many
            negatives and documents they hold.
        step: their length, at most the longest window of the detector.
        share_steps: a share is over so many buckets.
    """
    window = _window(options, step)
    steps = round(window / step)
    learned = Learned.restored(state, [max(1, round(window / options.bucket))])
    baseline, share = learned.counts[0], learned.share
    pace = Pace.of(step, steps)
    last = max(step - options.bucket, timedelta(0))  # it goes by the hour, in UTC, in which its last bucket starts
    most_empty, empty = longest_silence(options.bucket) / step, 0
    for nth, (at, (negatives, documents)) in enumerate(zip(starts, counts, strict=True)):
        empty = 0 if documents else empty + 1
        if empty >= most_empty:
            yield Expected(None, None)
            continue
        hour = (at + last).astimezone(UTC).hour
        mean = baseline.expected(hour) / steps
        shared = sum(n for _, n in counts[max(0, nth + 1 - share_steps) : nth + 1])
        yield Expected(
            _count(mean, baseline.dispersion),
            _share(shared, share.usual(0), share.correlation(0)) if shared else None,
        )
        if nth + 1 >= steps:
            of_window = counts[nth + 1 - steps : nth + 1]
            x, n = sum(one for one, _ in of_window), sum(one for _, one in of_window)
            baseline.learn(x, hour, pace)
            share.learn_window(x, n, 0, pace)
        share.learn_bucket(negatives, documents, pace)


def _window(options: DetectorOptions, step: timedelta) -> timedelta:
    """What the detector judges that is nearest to a bucket of the chart."""
    return max(options.windows[0] * options.bucket, step)


def _count(mean: float, dispersion: float) -> Bound:
    if mean >= NORMAL_FROM:
        deviation = DEVIATIONS * sqrt(dispersion * mean)
        return Bound(mean, max(0.0, mean - deviation), mean + deviation)
    digits = 3 if mean < 100 else 1  # so that neighbouring buckets share what is summed up
    return Bound(mean, *predictive_interval(round(mean, digits), round(dispersion, 2)))


def _share(documents: int, usual: float, correlation: float) -> Bound:
    unit = 10 ** max(0, len(str(documents)) - 2)
    return Bound(usual, *share_interval(round(documents / unit) * unit, round(usual, 4), round(correlation, 4)))


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
