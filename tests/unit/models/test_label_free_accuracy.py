"""Accuracy without labels."""

import numpy as np
import pytest

from models.label_free_accuracy import atc, doc, estimate
from models.reliability import Answers


def calibrated(size: int, sharpness: float, seed: int) -> Answers:
    """Answers that are right as often as they are sure."""
    rng = np.random.default_rng(seed)
    confidence = rng.beta(sharpness, 2, size)
    return Answers(confidence, rng.random(size) < confidence)


def test_estimates_follow_a_calibrated_model() -> None:
    """Where scores fall and the model knows it, the accuracy is found without seeing an answer."""
    dev, now = calibrated(2000, 8, 1), calibrated(2000, 3, 2)
    truth = now.is_right.mean()
    assert dev.is_right.mean() - truth > 0.1
    assert doc(dev, now.confidence) == pytest.approx(truth, abs=0.03)


def test_a_threshold_on_scores_is_found_where_there_is_one() -> None:
    """A model that is right above a score and wrong below it is read by that score."""
    rng = np.random.default_rng(0)
    known, now = rng.random(1000), rng.random(1000) ** 2
    assert atc(Answers(known, known > 0.4), now) == pytest.approx((now > 0.4).mean(), abs=0.01)


def test_the_interval_holds_the_truth() -> None:
    """The estimate comes with an interval that the true accuracy is in, and a drop that excludes none."""
    dev, before, now = (calibrated(1000, sharpness, seed) for sharpness, seed in ((8, 1), (8, 2), (3, 3)))
    found = estimate(before.confidence, now.confidence, dev, np.random.default_rng(0), "doc")
    assert found.low - 0.02 < now.is_right.mean() < found.high + 0.02
    assert 0 < found.drop_low < found.drop < found.drop_high


def test_without_labels_the_mean_score_has_to_do() -> None:
    """A handful of labels calibrates nothing."""
    before, now = calibrated(500, 8, 1), calibrated(500, 3, 2)
    for few in (None, calibrated(20, 8, 3)):
        found = estimate(before.confidence, now.confidence, few, np.random.default_rng(0))
        assert (found.method, found.value) == ("mean_score", pytest.approx(now.confidence.mean()))
