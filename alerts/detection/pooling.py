"""One score out of the scores of several windows: the mean of what they are evidence of, not of their logarithms.

    pooled = log10(sum of weight x 10^score)

It is led by the window that fits the surge, where a mean of logarithms would let the windows that do not fit vote it
down. A short window is tried more often a day than a long one, so chance finds more in it: it weighs less.
"""

from collections.abc import Sequence
from math import log10

WEIGHT_POWER = 0.3  # of a window's length; measured, see docs/why/detection.md


def log_weights(windows: Sequence[int]) -> tuple[float, ...]:
    """log10 of each window's weight; the weights add up to 1."""
    weights = [float(window) ** WEIGHT_POWER for window in windows]
    return tuple(log10(weight / sum(weights)) for weight in weights)


def pooled(scores: Sequence[float], weights: Sequence[float]) -> float:
    """The pooled score, never below 0.

    Args:
        scores: -log10 of a probability each, one or more.
        weights: `log_weights` of the same windows; further ones are ignored.
    """
    weighed = [score + weight for score, weight in zip(scores, weights, strict=False)]
    most = max(weighed)
    return max(0.0, most + log10(sum(10.0 ** (one - most) for one in weighed)))
