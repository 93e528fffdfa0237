"""The paired test on held-out labels."""

import pytest

from core.records import Opinion
from models.datasets import LabelledText
from models.gate_gain import Gain, check_gain, measure_gain
from models.gate_options import GateOptions
from tests.support.contestants import answers, rights, texts

ROWS = texts(200)
CHAMPION = answers(ROWS, rights(200, 0.6, seed=1))
FEWER = GateOptions(resamples=400)


def measured(rows: list[LabelledText], before: list[Opinion], after: list[Opinion]) -> Gain:
    gain = measure_gain(rows, before, after, FEWER)
    assert gain is not None
    return gain


def test_an_honest_gain_passes() -> None:
    """Right on fifteen points more of two hundred texts is no chance."""
    gain = measured(ROWS, CHAMPION, answers(ROWS, rights(200, 0.75, seed=2)))
    assert gain.mean.estimate == pytest.approx(0.15, abs=0.02)
    assert gain.candidate["sentiment"] - gain.champion["sentiment"] == pytest.approx(gain.mean.estimate, abs=1e-3)
    assert gain.gained - gain.lost == 30
    assert [check.is_passed for check in check_gain(gain, FEWER)] == [True]


def test_flipped_labels_are_refused() -> None:
    """Wrong where it was right."""
    flipped = answers(ROWS, [not right for right in rights(200, 0.6, seed=1)])
    gain = measured(ROWS, CHAMPION, flipped)
    (check,) = check_gain(gain, FEWER)
    assert check.is_passed is False
    assert check.reason.startswith("refused: held-out labels (200 texts): -20")


def test_luck_is_not_enough() -> None:
    """Three more of two hundred right may be chance: the estimate is above 0, and the interval reaches below."""
    after = rights(200, 0.6, seed=1)
    for place in [place for place, right in enumerate(after) if not right][:8]:
        after[place] = True
    for place in [place for place, right in enumerate(after) if right][-5:]:
        after[place] = False
    gain = measured(ROWS, CHAMPION, answers(ROWS, after))
    assert gain.mean.estimate > 0 > gain.mean.low
    assert check_gain(gain, FEWER)[0].is_passed is False


def test_without_held_out_labels_nobody_is_accepted() -> None:
    """No figure is made up, and nothing shows that it is better."""
    assert measure_gain([], [], [], FEWER) is None
    (check,) = check_gain(None, FEWER)
    assert check.reason == "refused: held-out labels: there are none to show that it is better"
