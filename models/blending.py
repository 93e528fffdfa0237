"""Between a champion and what was fine-tuned from it: the mean of their weights keeps most of both.

Wortsman et al. 2022, "Robust fine-tuning of zero-shot models" (WiSE-FT): two models of one descent can be averaged
weight by weight; what the fine-tuned one forgot mostly comes back, what it learned mostly stays.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch.utils.data import DataLoader

from models.calibration import fit_temperatures
from models.checkpoints import load_checkpoint, save_checkpoint, window_length
from models.datasets import LabelledText
from models.encoding import EncodedRows, PadToLongest

TRAINED_SHARE: Final = 0.6
BATCH_ROWS: Final = 64


def blend(champion: Path, trained: Path, dev_rows: Sequence[LabelledText], *, share: float = TRAINED_SHARE) -> None:
    """Replace the checkpoint in `trained` by `share` of it and the rest of `champion`, calibrated on dev.

    Args:
        dev_rows: what people answered, and nothing else: a model that agrees with itself would be taken for a sure
            one. A head with too few answers keeps the champion's temperature.

    Raises:
        CheckpointError: one of them cannot be loaded.
        RuntimeError: their weights have different shapes.
    """
    model, tokenizer = load_checkpoint(trained)
    parent = load_checkpoint(champion)[0]
    before, after = parent.state_dict(), model.state_dict()
    model.load_state_dict(
        {
            name: torch.lerp(before[name], weight, share) if weight.is_floating_point() else weight
            for name, weight in after.items()
        }
    )
    model.config.temperatures = parent.config.temperatures
    rows = EncodedRows(dev_rows, tokenizer, model.config.heads, window_length(tokenizer))
    logits, labels, masks = [], [], []
    with torch.inference_mode():
        for batch in DataLoader(rows, BATCH_ROWS, collate_fn=PadToLongest(int(tokenizer.pad_token_id))):
            output = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
            logits.append(output.logits.numpy())
            labels.append(batch["labels"].numpy())
            masks.append(batch["class_mask"].numpy())
    model.config.temperatures = fit_temperatures(
        model, np.concatenate(logits), np.concatenate(labels), np.concatenate(masks), rows.scripts
    )
    save_checkpoint(model, tokenizer, trained, "float16")
