"""The mean of a training's epochs (Izmailov et al. 2018, "Averaging Weights Leads to Wider Optima").

Late epochs of a small model overfit in different directions; their mean is better than each, at no cost later.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from models.safety import WEIGHTS_FILE


def epoch_checkpoints(work_dir: Path) -> list[Path]:
    """The checkpoints that a training left, one per epoch, oldest first."""
    found = [path for path in work_dir.glob(f"{PREFIX_CHECKPOINT_DIR}-*") if (path / WEIGHTS_FILE).is_file()]
    return sorted(found, key=lambda path: int(path.name.rsplit("-", 1)[1]))


def mean_weights(checkpoints: Sequence[Path]) -> dict[str, torch.Tensor]:
    """The mean of each weight, float32; the checkpoints are of one model and at least one."""
    mean: dict[str, torch.Tensor] = {}
    for checkpoint in checkpoints:
        for name, weight in load_file(checkpoint / WEIGHTS_FILE).items():
            share = weight.float() / len(checkpoints)
            mean[name] = mean[name] + share if name in mean else share
    return mean
