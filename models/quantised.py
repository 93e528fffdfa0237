"""Weights on disk as 8-bit integers: a quarter of float32's bytes, read back as float32.

Each row of a matrix keeps one scale, so that its largest weight becomes 127 (symmetric, per output channel: Jacob et
al. 2018, "Quantization and Training of Neural Networks", section 2). Only storage is quantised, not arithmetic: after
loading nothing tells such a checkpoint from another.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

SCALE: Final = ".int8_scale"
LARGEST: Final = 127
SMALLEST: Final = 1e-12  # the scale of a row of zeros
STORAGE: Final = {"format": "pt", "storage": "int8"}

State = dict[str, torch.Tensor]


def save_int8(state: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write a model's weights; matrices as int8 with one scale per row, the rest as float16."""
    stored: State = {}
    for name, weight in state.items():
        if weight.is_floating_point() and weight.dim() == 2:
            scale = (weight.float().abs().amax(dim=1, keepdim=True) / LARGEST).clamp(min=SMALLEST)
            stored[name] = (weight.float() / scale).round().to(torch.int8)
            stored[name + SCALE] = scale
        else:
            stored[name] = weight.half() if weight.is_floating_point() else weight
    save_file({name: weight.contiguous() for name, weight in stored.items()}, path, metadata=STORAGE)


def is_int8(path: Path) -> bool:
    """Whether `save_int8` wrote the file.

    Raises:
        SafetensorError: it is no safetensors file.
    """
    with safe_open(path, framework="pt") as file:
        return (file.metadata() or {}).get("storage") == STORAGE["storage"]


def load_int8(path: Path) -> State:
    """The weights, float32 (integers as they were)."""
    stored = load_file(path)
    return {name: _restored(name, stored) for name in stored if not name.endswith(SCALE)}


def _restored(name: str, stored: State) -> torch.Tensor:
    weight, scale = stored[name], stored.get(name + SCALE)
    if scale is not None:
        return weight.float() * scale
    return weight.float() if weight.is_floating_point() else weight
