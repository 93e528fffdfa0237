"""Which few documents stand for a surge: voices that cover it, rather than the few with the highest scores. Pure.

Greedy cover: each choice adds the one that stands for most voices of the window that no earlier choice stands for;
of equals, the one with the higher score.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

MOST: Final = 3

Reason = Literal["term", "topic", "source"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A document that was counted: nobody's copy.

    Attributes:
        key: what it begins with; candidates with the same key say no more than one.
        features: what it shares with other documents of the window, most telling first.
        score: how clearly negative it is.
    """

    id: str
    published_at: datetime
    key: str
    features: Sequence[tuple[Reason, str]]
    score: float


def choose(
    candidates: Sequence[Candidate], weights: Mapping[tuple[Reason, str], int], *, most: int = MOST
) -> list[tuple[Candidate, dict[str, Any]]]:
    """The chosen, in order, each with what it stands for (JSON values): `by`, `name`, and the voices of it.

    `by` is `score` where it shares nothing that others do not stand for already. Of candidates that add as much and
    are as clearly negative, the newest.

    Args:
        weights: how many voices of the window have a feature.
    """
    left = sorted(candidates, key=lambda one: (one.score, one.published_at, one.id), reverse=True)
    covered: set[tuple[Reason, str]] = set()
    chosen: list[tuple[Candidate, dict[str, Any]]] = []
    while left and len(chosen) < most:
        best = max(left, key=lambda one: _adds(one, weights, covered))  # the first of equals
        fresh = [one for one in best.features if one not in covered and weights.get(one, 0) > 1]
        by, name = fresh[0] if fresh else ("score", None)
        chosen.append((best, {"by": by, "name": name, "negative": weights[fresh[0]] if fresh else 1}))
        covered.update(best.features)
        left = [one for one in left if one.key != best.key]
    return chosen


def _adds(one: Candidate, weights: Mapping[tuple[Reason, str], int], covered: Collection[tuple[Reason, str]]) -> int:
    return sum(weights.get(feature, 0) for feature in one.features if feature not in covered)
