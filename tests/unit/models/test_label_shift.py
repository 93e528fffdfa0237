"""Shares of classes that nobody labelled."""

import numpy as np
import pytest

from models.drift_samples import Floats, Ints
from models.label_shift import estimate, joint_of_labels, joint_of_scores

CONFUSION = np.array([[0.8, 0.2, 0.1], [0.1, 0.7, 0.1], [0.1, 0.1, 0.8]])  # said, given what it is


def answered(shares: tuple[float, ...], size: int, seed: int) -> tuple[Floats, Ints]:
    """Scores of a model that errs as `CONFUSION` says, and the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, size, p=shares)
    said = np.array([rng.choice(3, p=CONFUSION[:, one]) for one in truth])
    return 0.1 + 0.7 * np.eye(3)[said], truth


def test_the_true_shares_are_found() -> None:
    """A model that errs knows less of the shares than its confusion matrix does."""
    joint = joint_of_labels(*answered((0.6, 0.2, 0.2), 2000, 1))
    scores, truth = answered((0.2, 0.2, 0.6), 2000, 2)
    found = estimate(joint, scores)
    assert found is not None
    assert found.now == pytest.approx(np.bincount(truth) / 2000, abs=0.06)
    assert found.distance == pytest.approx(0.4, abs=0.05)


def test_scores_that_are_calibrated_do_in_the_place_of_labels() -> None:
    """Unchanged shares are estimated as unchanged from the model's own scores."""
    scores, _ = answered((0.5, 0.3, 0.2), 2000, 3)
    found = estimate(joint_of_scores(scores), scores)
    assert found is not None
    assert found.distance < 0.01


def test_a_model_that_tells_nothing_apart_is_not_asked() -> None:
    """Where answers do not depend on the class there is no estimate, instead of a wild one."""
    assert estimate(np.full((3, 3), 100.0), np.eye(3)) is None
    assert estimate(np.diag([100.0, 2.0, 0.0]), np.eye(3)) is None  # one class alone is known
