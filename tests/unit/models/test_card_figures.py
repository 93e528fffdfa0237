from dataclasses import replace

import numpy as np
import pytest

from models.card_figures import JudgedFile, card_figures
from models.datasets import LabelledText
from models.reliability import reliability
from tests.unit.models.test_evaluation import OPINIONS, ROWS, opinion

FILE = JudgedFile("a.jsonl", ROWS, OPINIONS)
ABSENT = [replace(row, absent=("neutral",)) for row in ROWS]


def test_files_that_chose_the_model_do_not_judge_its_calibration() -> None:
    """A temperature fits the rows that it was fitted on better than any others."""
    chosen_by = JudgedFile("b.jsonl", ROWS, OPINIONS, is_held_out=False)
    figures = card_figures([FILE, chosen_by], [], {"topic": 1.0, "sentiment": 2.0})
    assert set(figures.files) == {"a.jsonl", "b.jsonl"}
    assert len(figures.calibration["sentiment"].after["all"].is_right) == 3
    assert "topic" not in figures.calibration  # one class only: sureness says nothing


def test_calibration_is_judged_among_the_classes_of_a_file_and_by_language() -> None:
    """Without neutral rows all three are right; taking the temperature back makes them surer."""
    found = card_figures([FILE], [], {"sentiment": 2.0}).calibration["sentiment"]
    assert found.after["all"].is_right.all()
    assert found.after["zh"].confidence == pytest.approx([0.6 / 0.7, 0.5 / 0.7])
    assert found.before["zh"].confidence == pytest.approx([0.36 / 0.37, 0.25 / 0.29])
    errors = [reliability(part["all"]).expected_error for part in (found.before, found.after)]
    assert errors[0] < errors[1]


def test_the_temperature_taken_back_is_that_of_the_texts_script() -> None:
    """Chinese rows were cooled by one figure and English ones by another."""
    rows = [LabelledText("很差", sentiment="negative"), LabelledText("bad", sentiment="positive")]
    file = JudgedFile("a", rows, [opinion(0.6, 0.0, 0.4)] * 2)
    found = card_figures([file], [], {"sentiment": {"han": 1.0, "other": 2.0}}).calibration["sentiment"]
    assert found.before["all"].confidence == pytest.approx([0.6, 0.36 / 0.52])


def test_doubt_is_judged_on_dev_by_sources_that_know_every_class() -> None:
    """A source without neutral rows cannot tell whether that answer is wrong."""
    known = JudgedFile("a.dev", ROWS, OPINIONS)
    lacking = JudgedFile("b.dev", ABSENT, OPINIONS)
    with_lacking = card_figures([], [known, lacking], {}).trade_offs["sentiment"]
    assert with_lacking == card_figures([], [known], {}).trade_offs["sentiment"]
    assert "sentiment" not in card_figures([], [lacking], {}).trade_offs


def test_confusions_of_all_files_add_up() -> None:
    """One picture per head, over every file, with the classes that any of them has."""
    neutral = JudgedFile("b", [LabelledText("x", sentiment="neutral")], [opinion(0.1, 0.8, 0.1)])
    confusion = card_figures([FILE, neutral], [], {}).confusion["sentiment"]
    assert list(confusion.classes) == ["negative", "neutral", "positive"]
    assert np.array_equal(confusion.counts, [[1, 0, 0], [0, 1, 0], [0, 1, 1]])
