import numpy as np
import pytest

from models.calibration import expected_calibration_error, fit_temperatures
from models.classifier import IGNORED_LABEL, OpinionClassifier, OpinionConfig
from tests.unit.models.test_classifier import small_model


def overconfident(rows: int, head_column: int, model: OpinionClassifier) -> tuple[np.ndarray, ...]:
    """Sentiment logits that claim near certainty and are right 70 % of the time."""
    chance = np.random.default_rng(0)
    labels = np.full((rows, 2), IGNORED_LABEL)
    labels[:, head_column] = chance.integers(0, 3, rows)
    said = np.where(chance.random(rows) < 0.7, labels[:, head_column], (labels[:, head_column] + 1) % 3)
    logits = np.zeros((rows, sum(len(names) for names in model.config.heads.values())), dtype=np.float32)
    logits[np.arange(rows), said] = 8.0
    return logits, labels, np.ones_like(logits, dtype=bool)


def test_overconfidence_is_cooled_and_other_heads_are_left_alone() -> None:
    """Scores claim what they keep; a head without answers keeps its temperature."""
    model = small_model(temperatures={"sentiment": 1.0, "topic": 1.3})
    column = list(model.config.heads).index("sentiment")
    temperatures = fit_temperatures(model, *overconfident(600, column, model))
    assert temperatures["sentiment"] > 2
    assert temperatures["topic"] == 1.3


def test_a_perfectly_calibrated_head_has_no_error() -> None:
    """Seven right of ten at 0.7 is what 0.7 means."""
    scores = np.tile([0.7, 0.2, 0.1], (10, 1))
    assert expected_calibration_error(scores, np.array([0] * 7 + [1] * 3)) == pytest.approx(0)


def test_certainty_that_is_always_wrong_has_the_full_error() -> None:
    """The other end of the scale."""
    assert expected_calibration_error(np.array([[1.0, 0.0]] * 4), np.array([1] * 4)) == pytest.approx(1)


def test_no_rows_have_no_error() -> None:
    """An empty file is not a division by zero."""
    assert expected_calibration_error(np.empty((0, 3)), np.empty(0, dtype=int)) == 0


def test_config_defaults_are_uncalibrated() -> None:
    """A fresh model claims its softmax."""
    assert set(OpinionConfig().temperatures.values()) == {1.0}
