"""The ways to choose what to label that are compared."""

from collections.abc import Callable
from typing import Final

import numpy as np

from benchmarks.label_cases.pools import Floats
from models.sampling import Reason, choose, uncertainty

SHARES: Final[dict[Reason, float]] = {"random": 0.15, "diverse": 0.1}  # as shipped; no incident takes its share
Way = Callable[[Floats, Floats, int, Floats, np.random.Generator], list[int]]


def by_chance(scores: Floats, _: Floats, wanted: int, __: Floats, chance: np.random.Generator) -> list[int]:
    """Whatever comes."""
    return [int(index) for index in chance.permutation(len(scores))[:wanted]]


def by_uncertainty(scores: Floats, _: Floats, wanted: int, __: Floats, chance: np.random.Generator) -> list[int]:
    """Those with the smallest lead of the first class; what is equal by chance."""
    unsure = uncertainty(scores)
    return [int(index) for index in np.lexsort((chance.random(len(unsure)), -unsure))[:wanted]]


def ours(scores: Floats, vectors: Floats, wanted: int, covered: Floats, chance: np.random.Generator) -> list[int]:
    """As the queue is filled: `models.sampling.choose` with the shipped shares."""
    counts: dict[Reason, int] = {reason: round(share * wanted) for reason, share in SHARES.items()}
    counts["uncertain"] = wanted - sum(counts.values())
    return [one.index for one in choose(uncertainty(scores), vectors, counts, chance, covered=covered)]


NGRAMS: Final = "ours, by n-grams"
"""As ours, where character n-grams say what is alike, and not the model's own encoder."""
WAYS: Final[dict[str, Way]] = {"ours": ours, NGRAMS: ours, "uncertainty only": by_uncertainty, "random": by_chance}
