from models.classifier import OpinionConfig
from models.evaluation import evaluate
from models.model_card import CardFacts, model_card
from models.registry import ModelVersion
from tests.unit.models.test_evaluation import OPINIONS, ROWS
from tests.unit.models.test_registry import DAY

VERSION = ModelVersion(version="20261122-abcdef01", parent="starter-1", created_at=DAY, weights_sha256="abcdef01" * 8)


def test_a_card_says_data_figures_parent_and_date() -> None:
    """Whoever finds a checkpoint can tell where it came from and how good it is."""
    facts = CardFacts("weekly", {"labels": 1200}, {"macro_f1": 0.61}, {"a.jsonl": evaluate(ROWS, OPINIONS)}, ["odd"])
    card = model_card(VERSION, OpinionConfig(), 9_100_000, facts)
    for part in ("20261122-abcdef01", "starter-1", "2026-11-22", "weekly", "| labels | 1,200 |", "9.1 M", "- odd"):
        assert part in card
    assert "| a.jsonl | sentiment | 3 | 0.667 | 1.000 | 0.833 | 0.750 |" in card


def test_a_card_without_test_figures_has_no_empty_table() -> None:
    """A candidate that was not measured does not pretend."""
    assert "Measured" not in model_card(VERSION, OpinionConfig(), 1, CardFacts("x", {}, {}))
