"""What a training runs on, and how its batches are cut so that they fit."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from models.precision import has_native_bfloat16

Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class Machine:
    """Where a training computes, and in which numbers.

    Attributes:
        is_cuda: on GPUs; else on the CPU.
        is_bfloat16: matrix products in bfloat16, where the hardware does them itself.
    """

    is_cuda: bool
    is_bfloat16: bool


def choose_machine(device: Device) -> Machine:
    """The GPUs, if they are wanted or not ruled out and there are some, else the CPU.

    Raises:
        RuntimeError: `cuda` is wanted and there is none.
    """
    is_there = torch.cuda.is_available()
    if device == "cuda" and not is_there:
        raise RuntimeError("no CUDA device")
    if device == "cpu" or not is_there:
        return Machine(is_cuda=False, is_bfloat16=has_native_bfloat16())
    # Before Ampere the GPU only emulates it, slower than float32.
    return Machine(is_cuda=True, is_bfloat16=torch.cuda.is_bf16_supported(including_emulation=False))


def process_count() -> int:
    """How many processes share the training: 1, or as many as `torchrun` has started."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first_process() -> bool:
    """Whether this is the one that writes files."""
    return int(os.environ.get("RANK", "0")) == 0


@dataclass(frozen=True)
class Cut:
    """A batch of the optimiser in pieces.

    Attributes:
        rows: of one forward and backward pass in one process.
        passes: whose gradients are added up before a step.
    """

    rows: int
    passes: int


def cut_batches(batch_rows: int, lengths: Sequence[int], *, micro_tokens: int | None, processes: int = 1) -> Cut:
    """Pieces of a batch of `batch_rows` for each process, none above `micro_tokens` tokens, padding included.

    Args:
        lengths: tokens of the rows to train on; a batch is as wide as its longest one.
        processes: that share each batch.
    """
    share = max(1, math.ceil(batch_rows / processes))
    if micro_tokens is None or not lengths:
        return Cut(share, 1)
    most = max(1, micro_tokens // max(lengths))
    passes = math.ceil(share / most)
    return Cut(math.ceil(share / passes), passes)
