"""Which texts are alike for a model."""

from pathlib import Path

import numpy as np
import pytest

from core.errors import CheckpointError
from models.state_vectors import alike, state_vectors
from tests.support.checkpoints import tiny_checkpoint


def test_each_text_gets_a_direction_of_its_own_in_its_place(tmp_path: Path) -> None:
    """Reading them by length does not mix them up, and the same text is the same vector."""
    folder = tiny_checkpoint(tmp_path / "tiny", seed=1)
    texts = ["刹车失灵", "a much longer text about something else altogether", "刹车失灵", ""]
    found = state_vectors(folder, texts)
    assert found.shape[0] == 4
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(4), abs=1e-5)
    assert found[0] == pytest.approx(found[2], abs=1e-5)
    assert abs(found[0] - found[1]).max() > 0.01


def test_what_all_texts_share_says_nothing() -> None:
    """A column that is the same for all is left out; texts that are all the same are like nothing."""
    found = alike(np.array([[1.0, 5.0], [2.0, 5.0]], dtype=np.float32))
    assert found == pytest.approx(np.array([[-1.0, 0.0], [1.0, 0.0]]), abs=1e-4)
    assert not alike(np.ones((3, 2), dtype=np.float32)).any()
    assert len(alike(np.zeros((0, 2), dtype=np.float32))) == 0


def test_without_a_checkpoint_it_says_so(tmp_path: Path) -> None:
    """The caller can do without and needs to know."""
    with pytest.raises(CheckpointError):
        state_vectors(tmp_path / "none", ["a"])
