"""Between a champion and what was fine-tuned from it."""

from pathlib import Path

import pytest
import torch

from models.blending import blend
from models.checkpoints import load_checkpoint, save_checkpoint
from models.datasets import LabelledText
from tests.support.checkpoints import tiny_checkpoint


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A champion with a temperature of its own, and other weights of the same shape."""
    champion, trained = tiny_checkpoint(tmp_path / "champion", seed=1), tiny_checkpoint(tmp_path / "trained", seed=2)
    model, tokenizer = load_checkpoint(champion)
    model.config.temperatures = {"topic": 1.5, "sentiment": 1.5}
    save_checkpoint(model, tokenizer, champion)
    return champion, trained


def test_weights_lie_between(folders: tuple[Path, Path]) -> None:
    """Each weight is the given share of the way from the champion's to the trained one."""
    before, after = (load_checkpoint(folder)[0].state_dict() for folder in folders)
    blend(*folders, [LabelledText("good", sentiment="positive")], share=0.25)
    blended = load_checkpoint(folders[1])[0].state_dict()
    for name, weight in blended.items():
        torch.testing.assert_close(weight, 0.75 * before[name] + 0.25 * after[name], atol=1e-3, rtol=1e-2)


def test_only_what_people_answered_calibrates(folders: tuple[Path, Path]) -> None:
    """A head with answers gets a temperature of its own, one without keeps the champion's."""
    moods = ["positive", "negative"] * 20
    blend(*folders, [LabelledText(f"good {nth}", sentiment=mood) for nth, mood in enumerate(moods)])
    temperatures = load_checkpoint(folders[1])[0].config.temperatures
    assert temperatures["topic"] == 1.5
    assert temperatures["sentiment"] != 1.5
