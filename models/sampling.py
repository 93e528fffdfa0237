"""What to label next: texts that teach the model most, whatever an incident hangs on, and some by chance. Pure.

Uncertainty alone asks for many texts of one kind, and for noise (Settles 2010, "Active Learning Literature Survey",
§3.1; Schröder et al. 2022, "Revisiting Uncertainty-based Query Strategies for Active Learning with Transformers");
diversity alone is good for the first labels and wastes the later ones (Hacohen et al. 2022, "Active Learning on a
Budget: Opposite Strategies Suit High and Low Budgets"). Uncertainty coverage holds at both ends: every text that the
model is unsure of should have a labelled one near it (Bae et al. 2025, "Uncertainty Herding: One Active Learning
Method for All Label Budgets", §3). docs/why/learning-labels.md holds it against its rivals.
"""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

Reason = Literal["random", "alert", "uncertain", "diverse"]
REASONS: Final[tuple[Reason, ...]] = ("random", "alert", "uncertain", "diverse")
"""In the order in which a document is given to them."""

RADIUS: Final = 0.5
"""Of the kernel between unit vectors, of which √2 is the distance when they have nothing in common; chosen of 0.35,
0.5 and 0.7 by the benchmark `label_efficiency`, on seeds that its figures are not of."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A candidate by its place in what was given, why it was chosen, and how much it was wanted: 0 to 1."""

    index: int
    reason: Reason
    score: float


def uncertainty(scores: npt.ArrayLike) -> Floats:
    """How unsure each row is: 1 less the lead of the likeliest class over the next (Luo et al. 2005, "Active Learning
    to Recognize Multiple Types of Plankton", §3.2, "breaking ties"); (rows, classes) calibrated scores to (rows,)."""
    ordered = np.sort(np.asarray(scores, dtype=np.float32), axis=1)
    if ordered.shape[1] < 2:
        return np.zeros(len(ordered), dtype=np.float32)
    found: Floats = np.clip(1 - (ordered[:, -1] - ordered[:, -2]), 0, 1)
    return found


def alert_impact(score_negative: float, *, is_counted: bool, distance: float) -> float:
    """How far one answer is expected to move an incident towards its border: the chance that a person sees the
    document otherwise than the model, over the documents that must flip for the incident to come or go.

    Args:
        score_negative: calibrated, toward what the incident counts.
        is_counted: whether the incident counts the document as negative.
        distance: documents between what was observed and where the incident begins, on either side; below 1 is 1.
    """
    flips = 1 - score_negative if is_counted else score_negative
    return min(max(flips, 0.0), 1.0) / max(abs(distance), 1.0)


def herd(
    vectors: Floats, weights: Floats, wanted: int, *, covered: Floats | None = None, radius: float = RADIUS
) -> list[tuple[int, float]]:
    """Rows that together lie near as much weight as possible, the best first, each with the weight that it adds.

    Greedy maximisation of Σ weights[n] · max over chosen c of k(n, c) with a Gaussian k, which is within 1 − 1/e of
    the best choice (Nemhauser et al. 1978); gains only shrink, so most are not computed again (Minoux 1978). Memory
    is quadratic in the rows: 16 MB for 2,000.

    Args:
        vectors: (rows, width), of length 1 or 0.
        weights: (rows,), not negative.
        covered: vectors of what is labelled or queued already.
    """
    rows = len(vectors)
    near = _kernel(vectors, vectors, radius)
    reached = np.zeros(rows, dtype=np.float32)
    if covered is not None and len(covered):
        reached = _kernel(vectors, covered, radius).max(axis=1)
    gains = weights @ np.maximum(near - reached[:, None], 0)
    heap = [(-float(gain), index, 0) for index, gain in enumerate(gains)]
    heapq.heapify(heap)
    chosen: list[tuple[int, float]] = []
    while heap and len(chosen) < wanted:
        gain, index, known_at = heapq.heappop(heap)
        if known_at == len(chosen):
            chosen.append((index, -gain))
            reached = np.maximum(reached, near[index])
        else:
            again = float(weights @ np.maximum(near[index] - reached, 0))
            heapq.heappush(heap, (-again, index, len(chosen)))
    return chosen


def choose(
    unsure: Floats,
    vectors: Floats,
    wanted: Mapping[Reason, int],
    chance: np.random.Generator,
    *,
    impacts: Mapping[int, float] | None = None,
    only_alert: Sequence[int] = (),
    not_by_score: Sequence[int] = (),
    covered: Floats | None = None,
) -> list[Chosen]:
    """So many candidates for each reason, none twice; fewer where there are no more.

    Chance draws first and from everything: what it takes says how good the model is on the stream as it is.

    Args:
        unsure: (candidates,) from `uncertainty`.
        vectors: (candidates, width) from `models.text_vectors`.
        impacts: by candidate, from `alert_impact`.
        only_alert: candidates that are here for an incident's sake and not drawn from the stream.
        not_by_score: candidates that only chance may take: queued already, or scored by another model.
        covered: vectors of texts that are labelled or queued.
    """
    drawn = [index for index in range(len(unsure)) if index not in set(only_alert)]
    picked = chance.permutation(np.array(drawn, dtype=int))[: wanted.get("random", 0)]
    chosen = [Chosen(int(index), "random", 0.0) for index in picked]
    by_impact = sorted((impacts or {}).items(), key=lambda item: (-item[1], item[0]))
    free = set(range(len(unsure))) - {one.index for one in chosen} - set(not_by_score)
    alarming = [(index, impact) for index, impact in by_impact if index in free and impact > 0]
    chosen += [Chosen(index, "alert", impact) for index, impact in alarming[: wanted.get("alert", 0)]]
    by_weight: dict[Reason, Floats] = {"uncertain": unsure, "diverse": np.ones_like(unsure)}
    for reason, weights in by_weight.items():
        taken = {one.index for one in chosen}
        left = np.array(sorted(free - taken - set(only_alert)), dtype=int)
        near_by = vectors[sorted(taken)]
        known = near_by if covered is None else np.concatenate([covered, near_by])
        found = herd(vectors[left], weights[left], wanted.get(reason, 0), covered=known) if len(left) else []
        most = max((gain for _, gain in found), default=0.0) or 1.0
        chosen += [Chosen(int(left[index]), reason, gain / most) for index, gain in found]
    return chosen


def _kernel(some: Floats, others: Floats, radius: float) -> Floats:
    """(some, others) Gaussian of the distance; of unit vectors its square is 2 − 2 cos. A text in which nothing is
    known, a zero vector, is near nothing but itself."""
    cosines = np.clip(some @ others.T, -1, 1)
    found: Floats = np.exp(-(2 - 2 * cosines) / radius**2, dtype=np.float32)
    return found
