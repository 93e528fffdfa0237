"""What a measure of drift shows where nothing drifts: windows drawn out of the reference itself. Pure.

Whole days are drawn, for two days of a stream differ more than two random halves of it. A threshold is both the
largest effect of all draws and the normal quantile that leaves `FALSE_ALARMS` to all tests of a check together
(Bonferroni), so a stationary stream seldom fires however many slices are looked at.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy.stats import norm

from models.drift_figures import Measure
from models.drift_measures import HOW
from models.drift_samples import Floats, Ints, Sample

FALSE_ALARMS: Final = 0.01  # chance of any alarm in one check of a stationary stream, by the normal tail
MOST_OF_REFERENCE: Final = 0.5  # a drawn window takes at most so much; the rest is what it is held against


def drawn_effects(reference: Sample, size: int, measure: Measure, rng: np.random.Generator) -> Floats:
    """Effects of windows of about `size` documents out of the reference, each against the rest of it.

    Empty where the measure finds nothing to measure.
    """
    effects = []
    for _ in range(HOW[measure].draws):
        window, rest = _drawn(reference.blocks, size, rng)
        effect = HOW[measure].effect(reference.take(rest), reference.take(window))
        if effect is None:
            return np.empty(0)
        effects.append(effect)
    return np.array(effects)


def threshold(drawn: Sequence[float] | Floats, tests: int) -> float:
    """What an effect has to exceed to be drift.

    Args:
        drawn: effects without drift, see `drawn_effects`.
        tests: how many effects one check judges.
    """
    effects = np.asarray(drawn, dtype=np.float64)
    quantile = effects.mean() + norm.isf(FALSE_ALARMS / max(tests, 1)) * effects.std(ddof=1)
    return float(max(quantile, effects.max()))


def _drawn(blocks: Ints, size: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Places of a window of whole blocks, and of the others."""
    names, codes = np.unique(blocks, return_inverse=True)
    counts = np.bincount(codes)
    most = min(size, int(MOST_OF_REFERENCE * len(blocks)))
    order = rng.permutation(len(names))
    taken = order[: max(1, int(np.searchsorted(np.cumsum(counts[order]), most, side="left")) + 1)]
    is_taken = np.isin(codes, taken)
    window = np.flatnonzero(is_taken)
    if len(window) > most:
        window = np.sort(rng.choice(window, most, replace=False))
    return window, np.flatnonzero(~is_taken)
