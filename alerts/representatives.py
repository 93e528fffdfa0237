"""Which few documents stand for a surge: voices that cover it, rather than the few with the highest scores. Pure.

Greedy cover: each choice adds the one that stands for most negatives of the window that no earlier choice stands for;
of equals, the one with the higher score.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

MOST: Final = 3

Reason = Literal["cluster", "term", "topic", "source"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A document that is nobody's copy, or the earliest of its copies here.

    Attributes:
        key: what it begins with; candidates with the same key say no more than one.
        features: what it shares with other documents of the window, most telling first.
        score: how clearly negative it is.
    """

    id: str
    key: str
    features: Sequence[tuple[Reason, str]]
    score: float


def choose(
    candidates: Sequence[Candidate], weights: Mapping[tuple[Reason, str], int], *, most: int = MOST
) -> list[tuple[Candidate, dict[str, Any]]]:
    """The chosen, in order, each with what it stands for (JSON values): `by`, `name`, and the negatives of it.

    `by` is `score` where it shares nothing that others do not stand for already.

    Args:
        weights: how many negatives of the window have a feature.
    """
    left = list(candidates)
    covered: set[tuple[Reason, str]] = set()
    chosen: list[tuple[Candidate, dict[str, Any]]] = []
    while left and len(chosen) < most:

        def adds(one: Candidate) -> tuple[int, float]:
            new = [weights.get(feature, 0) for feature in one.features if feature not in covered]
            return sum(new), one.score

        best = max(left, key=adds)  # the first of equals, in the caller's order
        fresh = [feature for feature in best.features if feature not in covered and weights.get(feature, 0) > 1]
        by, name = fresh[0] if fresh else ("score", None)
        chosen.append((best, {"by": by, "name": name, "negative": weights.get(fresh[0], 1) if fresh else 1}))
        covered.update(best.features)
        left = [one for one in left if one.key != best.key]
    return chosen
