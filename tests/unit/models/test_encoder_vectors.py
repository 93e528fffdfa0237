"""Vectors of texts."""

from pathlib import Path

import numpy as np

from models.encoder_vectors import encoder_vectors
from tests.support.checkpoints import tiny_checkpoint


def test_a_text_has_its_vector_whoever_stands_beside_it(tmp_path: Path) -> None:
    """Padding is not read, order is kept, and an empty text is no error."""
    folder = tiny_checkpoint(tmp_path / "tiny")
    texts = ["tea", "good coffee and a bank phone car text number", "", "很好 的 奶茶"]
    together = encoder_vectors(folder, texts)
    assert together.shape == (4, 16)
    for place, text in enumerate(texts):
        np.testing.assert_allclose(together[place], encoder_vectors(folder, [text])[0], atol=1e-5)
    assert not np.allclose(together[0], together[1])
    assert encoder_vectors(folder, []).shape == (0, 16)
