"""Two models on the same texts: how far apart they are, and how far chance alone could have put them.

Paired bootstrap (Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapters 13 and 16; for two systems on
one test set: Koehn 2004, "Statistical Significance Tests for Machine Translation Evaluation"): texts are drawn with
replacement, both models are measured on the same draw, and the middle part of the differences is the interval. It
suits figures that have no formula for their error, such as macro-F1. Draws come from a fixed seed, so a verdict can
be worked out again.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Statistic = Callable[[Floats], Mapping[str, Floats]]

SEED: Final = 20_260_501
DRAWS_AT_ONCE: Final = 200  # with ten thousand texts 16 MB of weights
MEAN: Final = "mean"  # the name of what all heads came to


@dataclass(frozen=True)
class Difference:
    """The candidate's figure less the champion's.

    Attributes:
        low, high: the middle `confidence` of the resamples lies between them.
    """

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class PairedHead:
    """One head of both models, on the texts that were answered for it.

    Attributes:
        places: (rows,) which texts they are, out of all that are resampled.
        labels, before, after: (rows,) class index: the true one, the champion's, the candidate's.
    """

    places: Ints
    labels: Ints
    before: Ints
    after: Ints


def differences(
    statistic: Statistic, texts: int, *, confidence: float, resamples: int, seed: int = SEED
) -> dict[str, Difference]:
    """Estimate and interval of each difference that `statistic` gives.

    Args:
        statistic: takes weights (draws, texts), how often each text is in each draw, and gives (draws,) per name.
        confidence: share of the resamples between `low` and `high`; so 1 in `2 / (1 - confidence)` lies below.
    """
    whole = statistic(np.ones((1, texts)))
    drawn: dict[str, list[Floats]] = {name: [] for name in whole}
    for weights in _draws(texts, resamples, seed):
        for name, values in statistic(weights).items():
            drawn[name].append(values)
    outside = (1 - confidence) / 2
    return {
        name: Difference(
            round(float(value[0]), 4),
            *(round(float(bound), 4) for bound in np.quantile(np.concatenate(drawn[name]), (outside, 1 - outside))),
        )
        for name, value in whole.items()
    }


def macro_f1_differences(heads: Mapping[str, PairedHead]) -> Statistic:
    """Macro-F1 per head, and their mean as `mean`.

    The classes are those that occur among the true answers of all texts; a class that a draw has none of counts as 0
    for both models and so moves no difference.
    """
    counted = {name: _indicators(head) for name, head in heads.items()}

    def statistic(weights: Floats) -> dict[str, Floats]:
        found = {
            name: _macro_f1(weights, heads[name].places, *after) - _macro_f1(weights, heads[name].places, *before)
            for name, (before, after) in counted.items()
        }
        return {**found, MEAN: np.mean(list(found.values()), axis=0)} if found else {}

    return statistic


def mcnemar(gained: int, lost: int) -> float:
    """How likely a split at least as uneven is if both models are equally good, two-sided and exact.

    McNemar 1947 in the binomial form; texts on which both are right or both wrong say nothing.
    """
    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def chance_of_losses(gained: int, lost: int) -> float:
    """How likely at least so many of the changed texts are lost ones if the candidate is as good: one-sided."""
    return float(binomtest(lost, gained + lost, alternative="greater").pvalue) if gained + lost else 1.0


def holm(chances: Sequence[float], error_rate: float) -> list[bool]:
    """Which of many tests reject, so that all together reject wrongly with at most `error_rate`.

    Holm 1979, "A simple sequentially rejective multiple test procedure"; the tests may depend on each other.
    """
    rejected = [False] * len(chances)
    for nth, place in enumerate(sorted(range(len(chances)), key=chances.__getitem__)):
        if chances[place] > error_rate / (len(chances) - nth):
            break
        rejected[place] = True
    return rejected


def adjusted_interval(gained: int, lost: int, rows: int, z: float) -> tuple[float, float]:
    """Bounds of the difference of two paired shares, for drawing.

    Bonett & Price 2012, "Adjusted Wald Confidence Interval for a Difference of Binomial Proportions Based on Paired
    Data": one row more on each side keeps the cover near what is asked for down to a dozen rows.
    """
    up, down = (gained + 1) / (rows + 2), (lost + 1) / (rows + 2)
    half = z * math.sqrt(max(up + down - (up - down) ** 2, 0.0) / (rows + 2))
    return round(max(up - down - half, -1.0), 4), round(min(up - down + half, 1.0), 4)


def _draws(texts: int, resamples: int, seed: int) -> Iterator[Floats]:
    chance = np.random.default_rng(seed)
    for start in range(0, resamples, DRAWS_AT_ONCE):
        count = min(DRAWS_AT_ONCE, resamples - start)
        drawn = chance.integers(texts, size=(count, texts)) + texts * np.arange(count)[:, None]
        yield np.bincount(drawn.ravel(), minlength=count * texts).reshape(count, texts).astype(np.float64)


Indicators = tuple[Floats, Floats, Floats]


def _indicators(head: PairedHead) -> tuple[Indicators, Indicators]:
    """For each model (rows, classes): right, answered, true."""
    present = np.unique(head.labels)
    true = (head.labels[:, None] == present).astype(np.float64)
    before, after = ((chosen[:, None] == present).astype(np.float64) for chosen in (head.before, head.after))
    return (true * before, before, true), (true * after, after, true)


def _macro_f1(weights: Floats, places: Ints, right: Floats, answered: Floats, true: Floats) -> Floats:
    own = weights[:, places]
    both = own @ answered + own @ true
    f1: Floats = np.divide(2 * (own @ right), both, out=np.zeros_like(both), where=both > 0)
    mean: Floats = f1.mean(axis=1)
    return mean
