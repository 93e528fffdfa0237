"""Where a count usually falls: the central interval of the negative binomial that the detector judges with. Pure.

Exact, by summing probabilities outward from far below the mean; `alerts.detection.tails` is faster and good only
far above it.
"""

from functools import lru_cache
from math import exp, lgamma, log, sqrt
from typing import Final

from alerts.detection.tails import MIN_EXCESS_DISPERSION

COVERAGE: Final = 0.95
NEGLIGIBLE_BELOW: Final = 12.0  # standard deviations: what lies further below the mean has no weight


@lru_cache(maxsize=4096)  # a day's buckets share 24 means
def predictive_interval(mean: float, dispersion: float, coverage: float = COVERAGE) -> tuple[int, int]:
    """The least and the largest of the counts between both tails of (1 - coverage) / 2.

    Args:
        mean, dispersion: of a negative binomial with variance `dispersion * mean`, as in `alerts.detection.tails`.
    """
    tail = (1.0 - coverage) / 2.0
    excess = max(dispersion - 1.0, MIN_EXCESS_DISPERSION)
    r, q = mean / excess, excess / (1.0 + excess)
    k = max(0, int(mean - NEGLIGIBLE_BELOW * sqrt(mean * (1.0 + excess))))
    probability = exp(lgamma(k + r) - lgamma(k + 1.0) - lgamma(r) - r * log(1.0 + excess) + k * log(q))
    below, lower = probability, None
    while below < 1.0 - tail:
        if lower is None and below > tail:
            lower = k
        k += 1
        probability *= q * (k - 1 + r) / k
        below += probability
        if probability < 1e-18 and k > mean:  # rounding has eaten the rest
            break
    return (k if lower is None else lower), k
