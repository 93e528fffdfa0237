import numpy as np
import pytest

from core.taxonomy import UNCERTAIN_BELOW
from models.card_figures import CardFigures, Confusion, HeadCalibration
from models.classifier import OpinionConfig
from models.evaluation import by_language, evaluate
from models.lineage import ModelVersion
from models.model_card import CardFacts, Pictures, model_card
from models.reliability import Answers, TradeOff
from tests.unit.models.test_evaluation import OPINIONS, ROWS
from tests.unit.models.test_registry import DAY

VERSION = ModelVersion(version="20261122-abcdef01", parent="starter-1", created_at=DAY, weights_sha256="abcdef01" * 8)
FACTS = CardFacts("weekly", {"labels": 1200}, {"macro_f1": 0.61}, notes=["odd"])
NOTHING = CardFigures({}, {}, {}, {}, {})
NO_PICTURES = Pictures(None, {}, {})
HALF_RIGHT = Answers(np.array([0.9, 0.9]), np.array([True, False]))
MEASURED = CardFigures(
    {"a.jsonl": evaluate(ROWS, OPINIONS)},
    {"a.jsonl": by_language(ROWS, OPINIONS)},
    {"sentiment": HeadCalibration({"han": 1.2, "other": 1.5}, {"all": HALF_RIGHT}, {"all": HALF_RIGHT})},
    {"sentiment": Confusion(["negative", "positive"], np.array([[1, 0], [0, 1]]))},
    {"sentiment": [TradeOff(UNCERTAIN_BELOW, 0.25, 0.75, None, 0.5)]},
)
PICTURES = Pictures("files.svg", {"sentiment": "reliability-sentiment.svg"}, {"sentiment": "confusion-sentiment.svg"})


def card(facts: CardFacts = FACTS, figures: CardFigures = MEASURED, pictures: Pictures = PICTURES) -> str:
    return model_card(VERSION, OpinionConfig(), 9_100_000, facts, figures, pictures)


def test_a_card_says_data_parent_and_date() -> None:
    """Whoever finds a checkpoint can tell where it came from."""
    for part in ("20261122-abcdef01", "starter-1", "2026-11-22", "weekly", "| labels | 1,200 |", "9.1 M", "- odd"):
        assert part in card()


@pytest.mark.parametrize(
    ("baseline", "verdict"),
    [
        ((90.0, 90.0), "| 90.0 / 90.0 | +10.0 / +10.0 | yes |"),
        ((90.0, 100.0), "| 90.0 / 100.0 | +10.0 / +0.0 | no |"),
    ],
)
def test_the_first_table_tells_which_baselines_are_beaten(baseline: tuple[float, float], verdict: str) -> None:
    """It takes both figures: one can be bought with the other."""
    facts = CardFacts("weekly", {}, {}, baselines={("a.jsonl", "sentiment"): baseline}, baseline="the old one")
    assert f"| a.jsonl | sentiment | 100.0 | 100.0 {verdict}" in card(facts)
    assert f"beats the old one in both on {int('yes' in verdict)} of 1 files" in card(facts)
    assert "| a.jsonl | topic | 100.0 | 100.0 |  |  |  |" in card(facts)


def test_figures_are_told_by_file_language_and_class() -> None:
    """Good in one language, bad in another: neither hides behind a mean."""
    for line in (
        "| a.jsonl | sentiment | all | 3 | 66.7 | 83.3 | 75.0 | 23.3 |",
        "| a.jsonl | sentiment | en | 1 | 0.0 | 0.0 | 0.0 | 60.0 |",
        "| a.jsonl | sentiment | positive | 2 | 100.0 | 50.0 | 66.7 |",
    ):
        assert line in card()


def test_calibration_and_doubt_are_told() -> None:
    """Answers of 0.9 that are right half of the time are off by 40 points; the default threshold stands out."""
    assert "| sentiment | han 1.200, other 1.500 | all | 2 | 40.0 | 40.0 |" in card()
    assert f"| sentiment | **{UNCERTAIN_BELOW:g}** | 25.0 |  | 75.0 | 50.0 |" in card()


def test_pictures_and_sections_are_shown() -> None:
    """What others measured stands on the card under its own title."""
    facts = CardFacts("weekly", {}, {}, sections=[("What was tried", "| a | b |\n")])
    text = card(facts)
    for part in ("![Accuracy per test file](files.svg)", "(reliability-sentiment.svg)", "(confusion-sentiment.svg)"):
        assert part in text
    assert "## What was tried\n\n| a | b |\n\n## Caveats" in text


def test_a_card_without_figures_has_no_empty_tables() -> None:
    """A candidate that was not measured does not pretend."""
    titles = [line for line in card(figures=NOTHING, pictures=NO_PICTURES).splitlines() if line.startswith("#")]
    assert titles == ["# 20261122-abcdef01", "## Intended use", "## Training data", "## Caveats"]
