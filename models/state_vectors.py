"""Texts as vectors by what the encoder of a checkpoint makes of them: who is alike for the model that is to learn.

Loads torch and reads every text once; for a process of its own. `models.text_vectors` does without, and chooses a
little worse (docs/why/learning-labels.md).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from models.checkpoints import load_checkpoint, resolve

BATCH_ROWS: Final = 64
MOST_TOKENS: Final = 128  # the beginning says what a text is about
LEAST_SPREAD: Final = 1e-6  # of a column, so that a constant one divides nothing by zero

Floats = npt.NDArray[np.float32]


def state_vectors(checkpoint: str | Path, texts: Sequence[str]) -> Floats:
    """(texts, width) of length 1: pooled states, each column standardised on these texts. Blocks; some hundred short
    texts a second on one core.

    Raises:
        CheckpointError: it cannot be loaded.
    """
    model, tokenizer = load_checkpoint(resolve(checkpoint))
    return alike(pooled_states(model.encoder, tokenizer, texts))


def alike(states: Floats) -> Floats:
    """Standardised by column, then of length 1: raw states all point the same way."""
    if not len(states):
        return states
    centred = (states - states.mean(axis=0)) / (states.std(axis=0) + LEAST_SPREAD)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    found: Floats = np.divide(centred, lengths, out=np.zeros_like(centred), where=lengths > 0)
    return found


@torch.inference_mode()
def pooled_states(encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> Floats:
    """(texts, width) means of the last states over the tokens; shortest texts first, so that little is padded."""
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    found = np.zeros((len(texts), encoder.config.hidden_size), np.float32)
    for start in range(0, len(order), BATCH_ROWS):
        part = order[start : start + BATCH_ROWS]
        shown = [texts[index] for index in part]
        rows = tokenizer(shown, truncation=True, max_length=MOST_TOKENS, padding=True, return_tensors="pt")
        states = encoder(input_ids=rows["input_ids"], attention_mask=rows["attention_mask"]).last_hidden_state
        mask = rows["attention_mask"].unsqueeze(-1)
        found[part] = ((states * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)).numpy()
    return found
