"""Which classes there really are in texts nobody labelled, from what the model says of them. Pure.

Black Box Shift Estimation (Lipton, Wang and Smola, ICML 2018): with the joint shares C[i, j] of "said i, is j" where
labels are known, shares that are said elsewhere are C w for weights w of the true classes, if texts of a class still
look alike. C comes from labelled texts, or from calibrated scores, which say how many of those answers are right.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import nnls

from models.drift_samples import Floats, Ints, class_shares

FEWEST_OF_CLASS: Final = 5  # documents; what is known of a rarer class says nothing
WORST_CONDITION: Final = 50.0  # of C by true class; above, small errors become large ones


@dataclass(frozen=True)
class LabelShift:
    """Estimated shares of the true classes; None for classes too rare to tell.

    Attributes:
        before, now: (classes,) shares, NaN where unknown.
        distance: total variation between the two, over the known classes.
    """

    before: Floats
    now: Floats
    distance: float


def joint_of_labels(scores: Floats, labels: Ints) -> Floats:
    """C[i, j] of labelled texts."""
    joint = np.zeros((scores.shape[1], scores.shape[1]))
    np.add.at(joint, (scores.argmax(axis=1), labels), 1)
    return joint


def joint_of_scores(scores: Floats) -> Floats:
    """C[i, j] as calibrated scores have it: each text is of every class by its score."""
    joint = np.zeros((scores.shape[1], scores.shape[1]))
    np.add.at(joint, scores.argmax(axis=1), scores)
    return joint


def estimate(joint: Floats, current: Floats) -> LabelShift | None:
    """The shares now; None where the model's answers do not tell the classes apart.

    Args:
        joint: counts of "said i, is j", see `joint_of_labels` and `joint_of_scores`.
        current: (documents, classes) scores of the window.
    """
    known = np.flatnonzero(joint.sum(axis=0) >= FEWEST_OF_CLASS)
    if len(known) < 2 or not len(current):
        return None
    part = joint[np.ix_(known, known)]
    before = part.sum(axis=0) / part.sum()
    by_class = part / np.maximum(part.sum(axis=0), 1e-12)
    if np.linalg.cond(by_class) > WORST_CONDITION:
        return None
    said = class_shares(current)[known]
    weights, _ = nnls(by_class, said / max(said.sum(), 1e-12))
    now = weights / max(weights.sum(), 1e-12)
    spread = [np.full(joint.shape[1], np.nan) for _ in range(2)]
    spread[0][known], spread[1][known] = before, now
    return LabelShift(spread[0], spread[1], float(np.abs(now - before).sum() / 2))
