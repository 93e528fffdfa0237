import numpy as np
import pytest

from models.reliability import (
    among,
    answers,
    expected_calibration_error,
    pooled,
    reliability,
    trade_offs,
    without_temperature,
)

SURE_RIGHT, SURE_WRONG, DOUBT_RIGHT, DOUBT_WRONG = [0.9, 0.1], [0.1, 0.9], [0.55, 0.45], [0.45, 0.55]


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


def test_bins_hold_confidence_and_accuracy_of_their_rows() -> None:
    """The points of the diagram: two sure answers, one of them right, and one in doubt."""
    parts = [
        answers(np.array(rows), np.zeros(len(rows), dtype=int)) for rows in ([SURE_RIGHT, SURE_WRONG], [DOUBT_RIGHT])
    ]
    found = reliability(pooled(parts), bins=2)
    assert found.rows.tolist() == [0, 3]
    assert found.confidence[1] == pytest.approx((0.9 + 0.9 + 0.55) / 3)
    assert found.accuracy[1] == pytest.approx(2 / 3)


def test_doubt_costs_coverage_and_catches_errors() -> None:
    """Of four answers two are below 0.6, one of them wrong; there is one more error among the sure ones."""
    scores = np.array([SURE_RIGHT, SURE_WRONG, DOUBT_RIGHT, DOUBT_WRONG])
    low, high = trade_offs(answers(scores, np.zeros(4, dtype=int)), [0.5, 0.6])
    assert (low.uncertain, low.accuracy_certain, low.accuracy_uncertain, low.errors_caught) == (0, 0.5, None, 0)
    assert (high.uncertain, high.accuracy_certain, high.accuracy_uncertain, high.errors_caught) == (
        0.5,
        0.5,
        0.5,
        0.5,
    )


def test_a_temperature_can_be_taken_back() -> None:
    """Scores before calibration follow from those after it, so that nothing has to be classified twice."""
    logits = np.array([[2.0, 0.5, -1.0], [0.1, 0.2, 0.3]])

    def softmax(values: np.ndarray) -> np.ndarray:
        return np.exp(values) / np.exp(values).sum(axis=1, keepdims=True)

    temperatures = np.array([1.7, 0.6])
    calibrated = softmax(logits / temperatures[:, None])
    assert without_temperature(calibrated, temperatures) == pytest.approx(softmax(logits))


def test_classes_that_cannot_be_answered_give_their_share_to_the_others() -> None:
    """A source without neutral rows is judged as if there were no such answer."""
    assert among(np.array([[0.2, 0.6, 0.2]]), np.array([0, 2])) == pytest.approx(np.array([[0.5, 0.5]]))
