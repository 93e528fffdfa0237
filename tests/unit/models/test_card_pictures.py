import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np

from core.taxonomy import SENTIMENTS, TOPICS
from models.card_figures import CardFigures, Confusion, HeadCalibration
from models.card_pictures import draw
from models.model_card import Pictures
from models.reliability import Answers
from tests.unit.models.test_model_card import MEASURED, NOTHING

MOST_BYTES = 250_000  # of all pictures of a card; they lie in the repository


def test_pictures_are_the_same_bytes_for_the_same_figures(tmp_path: Path) -> None:
    """A card made again changes nothing in a repository that holds it."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        pictures = draw(tmp_path / name, MEASURED, {("a.jsonl", "sentiment"): (90.0, 90.0)})
    assert pictures.files == "files.svg"
    names = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert names == ["confusion-sentiment.svg", "files.svg", "reliability-sentiment.svg"]
    for name in names:
        first = (tmp_path / "first" / name).read_bytes()
        assert first == (tmp_path / "second" / name).read_bytes()
        assert ET.fromstring(first).tag.endswith("svg")  # noqa: S314  # our own file


def test_all_pictures_of_a_big_card_stay_small(tmp_path: Path) -> None:
    """Thirty files and seventeen topics, every cell of the confusion filled."""
    chance = np.random.default_rng(0)
    answers = Answers(chance.random(5000), chance.random(5000) < 0.5)
    figures = CardFigures(
        {f"file number {nth}.test.jsonl": MEASURED.files["a.jsonl"] for nth in range(30)},
        {},
        dict.fromkeys(("topic", "sentiment"), HeadCalibration(1.0, {"all": answers}, {"all": answers})),
        {
            "topic": Confusion(TOPICS, chance.integers(50, 99, (17, 17))),
            "sentiment": Confusion(SENTIMENTS, chance.integers(50, 99, (3, 3))),
        },
        {},
    )
    draw(tmp_path, figures, {})
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < MOST_BYTES


def test_nothing_measured_draws_nothing(tmp_path: Path) -> None:
    """No empty axes beside a card without figures."""
    assert draw(tmp_path, NOTHING, {}) == Pictures(None, {}, {})
    assert list(tmp_path.iterdir()) == []
