"""One tiny checkpoint for all tests of the package."""

from pathlib import Path

import pytest

from models.inference import Classifier
from tests.support.checkpoints import tiny_checkpoint


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier with random weights; not to be written to."""
    return tiny_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture
def classifier(checkpoint: Path) -> Classifier:
    """The tiny checkpoint, loaded, with an empty cache."""
    return Classifier.load(
        checkpoint, device="cpu", precision="float32", batch_tokens=256, max_length=16, cache_entries=8
    )
