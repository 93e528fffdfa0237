"""Texts as vectors by what the encoder of a checkpoint makes of them: who is alike for the model that is to learn.

Loads torch and reads every text once; for a process of its own. `models.text_vectors` does without, and chooses a
little worse (docs/why/learning-labels.md).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from models.checkpoints import resolve
from models.encoder_vectors import Floats, encoder_vectors

LEAST_SPREAD: Final = 1e-6  # of a column, so that a constant one divides nothing by zero


def state_vectors(checkpoint: str | Path, texts: Sequence[str]) -> Floats:
    """(texts, width) of length 1: pooled states, each column standardised on these texts. Blocks; some hundred short
    texts a second on one core.

    Raises:
        CheckpointError: it cannot be loaded.
    """
    return alike(encoder_vectors(resolve(checkpoint), texts))


def alike(states: Floats) -> Floats:
    """Standardised by column, then of length 1: raw states all point the same way."""
    if not len(states):
        return states
    centred = (states - states.mean(axis=0)) / (states.std(axis=0) + LEAST_SPREAD)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    found: Floats = np.divide(centred, lengths, out=np.zeros_like(centred), where=lengths > 0)
    return found
