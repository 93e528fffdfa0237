"""Calibration: scores that claim more than they keep are refused."""

from models.gate_calibration import check_calibration, measure_calibration
from models.gate_options import GateOptions
from tests.support.contestants import answers, rights, texts

OPTIONS = GateOptions(resamples=400)
ROWS = texts(300)
RIGHT = rights(300, 0.7, seed=1)
HONEST = answers(ROWS, RIGHT, confidence=0.7)


def test_the_same_answers_said_with_certainty_are_refused() -> None:
    """Seven of ten right, and each called certain."""
    (change,) = measure_calibration(ROWS, HONEST, answers(ROWS, RIGHT, confidence=0.99), OPTIONS)
    assert (change.champion, change.candidate) == (0.0, 0.29)
    (check,) = check_calibration([change], OPTIONS)
    assert check.reason.startswith("refused: calibration error of sentiment (300 texts): 29.0 points, champion 0.0")


def test_as_honest_passes() -> None:
    """Neither equal scores nor a rise within the margin refuse."""
    for after in (HONEST, answers(ROWS, RIGHT, confidence=0.72)):
        assert check_calibration(measure_calibration(ROWS, HONEST, after, OPTIONS), OPTIONS)[0].is_passed


def test_better_calibrated_passes() -> None:
    """A fall of the error is no rise."""
    changes = measure_calibration(ROWS, answers(ROWS, RIGHT, confidence=0.99), HONEST, OPTIONS)
    assert changes[0].rise.high < 0
    assert check_calibration(changes, OPTIONS)[0].is_passed


def test_a_handful_decides_nothing() -> None:
    """Ten texts say nothing about calibration."""
    rows = texts(10)
    before, after = (answers(rows, [True] * 10, confidence=score) for score in (0.99, 0.4))
    (check,) = check_calibration(measure_calibration(rows, before, after, OPTIONS), OPTIONS)
    assert check.reason == "calibration of sentiment was not judged: 10 texts"
