"""The rules compared: ours, and what products say they do. Each marks the (series, bucket) at which it fires.

Ours is `alerts.detection.detectors` at the shipped defaults. The others are written down from what their makers
publish (`docs/why/detection.md`); where a maker names no factor, one is chosen and stated.
"""

from collections.abc import Callable, Sequence, Set
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial

import numpy as np

from alerts.detection.detectors import DetectorOptions, Sensitivity, SpikeDetector

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR, DAY = 12, 288
WEEK = 7 * DAY

Rule = Callable[[np.ndarray, np.ndarray], np.ndarray]


def ours(sensitivity: Sensitivity = "medium", gaps: Sequence[int] = ()) -> Rule:
    """The shipped detector; `gaps` are buckets before which it is told that nothing was known for a while."""

    def fires(negatives: np.ndarray, totals: np.ndarray) -> np.ndarray:
        judge = partial(_judge, DetectorOptions(sensitivity=sensitivity), frozenset(gaps))
        with ProcessPoolExecutor() as processes:
            return np.array(list(processes.map(judge, negatives, totals, chunksize=4)))

    return fires


def _judge(options: DetectorOptions, gaps: Set[int], negatives: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """In which buckets one series fires."""
    detector = SpikeDetector(options)
    found = np.zeros(len(totals), dtype=bool)
    for at, (x, n) in enumerate(zip(negatives.tolist(), totals.tolist(), strict=True)):
        if at in gaps:
            detector.skip_gap()
        found[at] = detector.observe(START + at * options.bucket, x, n).is_firing
    return found


def sums(values: np.ndarray, window: int, lag: int = 0) -> np.ndarray:
    """Of the `window` buckets that end `lag` buckets ago, as far as there are any."""
    total = np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1, dtype=np.float64)
    end = np.maximum(np.arange(1, values.shape[1] + 1) - lag, 0)
    difference: np.ndarray = total[:, end] - total[:, np.maximum(end - window, 0)]
    return difference


def week_of_hours(negatives: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the hourly negatives of the seven days before the last hour."""
    hourly = sums(negatives, HOUR)
    mean = sums(hourly, WEEK, HOUR) / WEEK
    return mean, np.sqrt(np.maximum(sums(hourly**2, WEEK, HOUR) / WEEK - mean**2, 0))


def mean_and_deviations(times: float) -> Rule:
    """The last hour above the 7-day mean by so many standard deviations."""

    def fires(negatives: np.ndarray, totals: np.ndarray) -> np.ndarray:
        mean, deviation = week_of_hours(negatives)
        return sums(negatives, HOUR) > mean + times * deviation

    return fires


def hour_against_half_day(negatives: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Meltwater: the last hour against the 12 before; here more than twice their mean, at least 5."""
    last = sums(negatives, HOUR)
    return (last > 2 * sums(negatives, 12 * HOUR, HOUR) / 12) & (last >= 5)


def day_against_week(times: float) -> Rule:
    """Socialmetrix: the mean of 24 hours above the 7-day mean by so many standard deviations, hourly."""

    def fires(negatives: np.ndarray, totals: np.ndarray) -> np.ndarray:
        mean, deviation = week_of_hours(negatives)
        return sums(negatives, DAY) / 24 > mean + times * deviation

    return fires


def fixed_share(negatives: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """More than 40 % negative of the last two hours' documents, at least 20 of them."""
    documents = sums(totals, 2 * HOUR)
    return (sums(negatives, 2 * HOUR) > 0.4 * documents) & (documents >= 20)


RIVALS: dict[str, Rule] = {
    "7-day mean + 3 sd": mean_and_deviations(3),
    "7-day mean + 5 sd": mean_and_deviations(5),
    "Meltwater, 1 h against 12 h": hour_against_half_day,
    "socialmetrix + 1.5 sd": day_against_week(1.5),
    "socialmetrix + 2 sd": day_against_week(2),
    "socialmetrix + 3 sd": day_against_week(3),
    "2 h share > 40 %": fixed_share,
}
