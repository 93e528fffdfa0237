"""In which numbers the encoder computes: float32 or bfloat16, named by a setting or chosen at load.

`auto` is bfloat16 on CUDA. On a CPU it is bfloat16 where the processor multiplies it natively and a trial of a
fraction of a second shows it faster, else float32. Pooling, heads and calibration are float32 in either case. Why
there is no int8: docs/why/classification.md.
"""

import time
from collections.abc import Sequence
from copy import deepcopy
from typing import Literal

import torch

from core.logs import get_logger
from models.forward import ForwardPass

Precision = Literal["auto", "float32", "bfloat16"]
log = get_logger(__name__)

TRIALS = 3  # the best of so many counts: a neighbour on the machine disturbs one, not all
WORTH_IT = 1.15  # a smaller gain is within what trials differ by
NATIVE_BFLOAT16 = ("avx512_bf16", "amx_bf16", "arm_bf16", "bf16")  # as `torch.cpu.get_capabilities` says it


def set_precision(forward: ForwardPass, precision: Precision, trial: Sequence[list[int]]) -> Precision:
    """Convert the encoder of `forward`, float32 so far, and return what it computes in now.

    Args:
        trial: token ids of some texts, for `auto` to be timed on.
    """
    on_cuda = next(forward.encoder.parameters()).is_cuda
    if precision == "auto" and not on_cuda:
        precision = _fastest_on_cpu(forward, trial)
    elif precision in ("auto", "bfloat16"):
        precision = "bfloat16"
        forward.encoder.to(torch.bfloat16)
    return precision


def _fastest_on_cpu(forward: ForwardPass, trial: Sequence[list[int]]) -> Precision:
    """Time both and leave the faster one in place."""
    if not has_native_bfloat16():
        return "float32"
    in_float32 = forward.encoder
    seconds_float32 = _seconds(forward, trial)
    forward.encoder = deepcopy(in_float32).to(torch.bfloat16)
    seconds_bfloat16 = _seconds(forward, trial)
    gain = seconds_float32 / seconds_bfloat16
    log.debug("precision_tried", bfloat16_gain=round(gain, 2), needed=WORTH_IT)
    if gain >= WORTH_IT:
        return "bfloat16"
    forward.encoder = in_float32
    return "float32"


def has_native_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 itself; elsewhere it is emulated, and slow."""
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return any(capabilities.get(name, False) for name in NATIVE_BFLOAT16)


def _seconds(forward: ForwardPass, trial: Sequence[list[int]]) -> float:
    """The best of some passes, after one that allocates."""
    forward(trial)
    times = []
    for _ in range(TRIALS):
        started = time.perf_counter()
        forward(trial)
        times.append(time.perf_counter() - started)
    return min(times)
