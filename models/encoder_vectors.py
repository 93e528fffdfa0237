"""The champion's encoder as a reader: one vector for each text, the mean of its token states."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from models.checkpoints import load_checkpoint, window_length
from models.inference import Device, pick_device

BATCH_TEXTS: Final = 32
MOST_TOKENS: Final = 128  # of a text are read; the beginning of a longer one says what it is about

Floats = npt.NDArray[np.float32]


def encoder_vectors(folder: Path, texts: Sequence[str], *, device: Device = "cpu") -> Floats:
    """(texts, width) float32. Blocks: some hundred texts a second on a core, for a model like the starter.

    Raises:
        CheckpointError: the checkpoint cannot be loaded.
    """
    model, tokenizer = load_checkpoint(folder)
    encoder = model.encoder.to(pick_device(device)).eval()
    return pooled_states(encoder, tokenizer, texts, most_tokens=min(MOST_TOKENS, window_length(tokenizer)))


@torch.inference_mode()
def pooled_states(
    encoder: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    *,
    most_tokens: int = MOST_TOKENS,
) -> Floats:
    """(texts, width) float32 of an encoder that is loaded, on its device."""
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))  # so that little of a batch is padding
    vectors = np.empty((len(texts), encoder.config.hidden_size), dtype=np.float32)
    for start in range(0, len(order), BATCH_TEXTS):
        places = order[start : start + BATCH_TEXTS]
        batch = tokenizer(
            [texts[place] for place in places],
            truncation=True,
            max_length=most_tokens,
            padding=True,
            return_tensors="pt",
        ).to(encoder.device)
        states = encoder(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]
        ).last_hidden_state.float()
        mask = batch["attention_mask"][..., None].float()
        vectors[places] = ((states * mask).sum(1) / mask.sum(1).clamp(min=1)).cpu().numpy()
    return vectors
