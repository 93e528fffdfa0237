"""Texts of any length in one forward pass without a single padding token.

They are laid end to end as one row; every layer but attention treats each token by itself, and the attention
registered here keeps each text to itself. It serves every encoder that attends through transformers' attention
interface and takes `position_ids` (BERT, ELECTRA, RoBERTa, XLM-R, …); `models.forward` finds out at load.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, groupby
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

try:
    from torch.nn.attention import varlen

    varlen_attn: Any = varlen.varlen_attn
except ImportError:  # torch before 2.10
    varlen_attn = None

PACKED_ATTENTION: Final = "opinion_packed"
SCORES_AT_ONCE = 2**20  # attention scores, 4 MiB of float32: bounds memory, and stays in a CPU's cache
SAME_ATTENTION = 0.02  # two kernels in bfloat16 round differently, by some 0.004


@dataclass(frozen=True)
class Packed:
    """A batch, end to end.

    Attributes:
        input_ids, position_ids: (1, tokens) int64.
        lengths: (texts,) int64, tokens of each.
        bounds: (texts + 1,) int32, where each begins, and the end.
        runs: `(texts, tokens of each)` of neighbours that are equally long.
    """

    input_ids: torch.Tensor
    position_ids: torch.Tensor
    lengths: torch.Tensor
    bounds: torch.Tensor
    runs: list[tuple[int, int]]

    @property
    def longest(self) -> int:
        return max(length for _, length in self.runs)


def pack(inputs: Sequence[list[int]], first_position: int, device: torch.device) -> Packed:
    """Lay token ids end to end; sorted by length they make few runs.

    Args:
        inputs: ids of each text with its special tokens, none empty.
        first_position: what the encoder calls the first token's place; 0, or past `pad_token_id` for RoBERTa's kin.
    """
    lengths = np.fromiter(map(len, inputs), np.int64, len(inputs))
    ends = lengths.cumsum()
    ids = np.fromiter(chain.from_iterable(inputs), np.int64, ends[-1])
    places = np.arange(len(ids)) - np.repeat(ends - lengths, lengths) + first_position
    return Packed(
        input_ids=_on(device, ids).unsqueeze(0),
        position_ids=_on(device, places).unsqueeze(0),
        lengths=_on(device, lengths),
        bounds=_on(device, np.concatenate([[0], ends]).astype(np.int32)),
        runs=[(len(list(group)), length) for length, group in groupby(lengths.tolist())],
    )


def _on(device: torch.device, numbers: npt.NDArray[Any]) -> torch.Tensor:
    """Copied while the device computes what it was given before, for which a GPU wants pinned memory."""
    tensor = torch.from_numpy(numbers)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def packed_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    packed: Packed | None = None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    position_bias: torch.Tensor | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Full attention within each text; signature and result as transformers wants them.

    Without `packed` the rows are texts of their own, padded as usual, and transformers' own attention serves.

    Args:
        query, key, value: (1, heads, tokens, width).
        packed: where texts begin and end; passed to the encoder's `forward`, which hands it down.

    Returns:
        (1, tokens, heads, width).

    Raises:
        ValueError: the encoder attends in a way that this does not know.
    """
    if packed is None:
        options = {"scaling": scaling, "position_bias": position_bias, "sliding_window": sliding_window, **kwargs}
        attended, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
        return attended, None
    if sliding_window is not None or position_bias is not None or attention_mask is not None:
        raise ValueError("packed attention knows no windows, biases or masks")
    scaling = scaling if scaling is not None else query.shape[-1] ** -0.5
    query, key, value = (part[0].transpose(0, 1) for part in (query, key, value))  # (tokens, heads, width)
    if _has_varlen_kernel(query.device, query.dtype, *query.shape[1:]):
        parts = (query.contiguous(), key.contiguous(), value.contiguous())
        bounds, longest = packed.bounds, packed.longest
        return varlen_attn(*parts, bounds, bounds, longest, longest, scale=scaling).unsqueeze(0), None
    attended, start = [], 0
    for texts, length in packed.runs:
        end = start + texts * length
        run = (part[start:end].view(texts, length, *part.shape[1:]) for part in (query, key, value))
        attended += _attend_equally_long(*run, scaling=scaling)
        start = end
    return torch.cat(attended).unsqueeze(0), None


def _attend_equally_long(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *, scaling: float
) -> list[torch.Tensor]:
    """Of (texts, length, heads, width) each, to pieces of (tokens, heads, width)."""
    texts, length, heads, _ = query.shape
    at_once = max(1, SCORES_AT_ONCE // (heads * length * length))
    pieces = []
    for first in range(0, texts, at_once):
        q, k, v = (part[first : first + at_once].transpose(1, 2) for part in (query, key, value))
        pieces.append(_attend(q, k, v, scaling).transpose(1, 2).flatten(0, 1))
    return pieces


def _attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float) -> torch.Tensor:
    """On a CPU two matrix products are faster than torch's fused kernel: the whole pass in bfloat16 by 8 %."""
    if query.is_cuda:
        return scaled_dot_product_attention(query, key, value, scale=scaling)
    scores = torch.matmul(query * scaling, key.transpose(-1, -2))
    return torch.matmul(torch.softmax(scores, dim=-1, dtype=torch.float32).to(value.dtype), value)


@cache
def _has_varlen_kernel(device: torch.device, dtype: torch.dtype, heads: int, width: int) -> bool:
    """Whether torch's variable-length attention runs here and answers as plain attention does; tried once."""
    if varlen_attn is None or device.type != "cuda" or dtype not in (torch.bfloat16, torch.float16):
        return False
    numbers = torch.arange(3 * 5 * heads * width, device=device).sin().to(dtype)
    query, key, value = numbers.view(3, 5, heads, width)  # two texts, of two and three tokens
    bounds = torch.tensor([0, 2, 5], dtype=torch.int32, device=device)
    scaling = width**-0.5
    try:
        found = varlen_attn(query, key, value, bounds, bounds, 3, 3, scale=scaling)
    except (RuntimeError, ValueError):  # FlashAttention needs Ampere, a width it knows, and a torch that has it
        return False
    parts = [
        _attend_equally_long(*(part[start:end].unsqueeze(0) for part in (query, key, value)), scaling=scaling)[0]
        for start, end in ((0, 2), (2, 5))
    ]
    return torch.allclose(found, torch.cat(parts), atol=SAME_ATTENTION)


AttentionInterface.register(PACKED_ATTENTION, packed_attention)
AttentionMaskInterface.register(PACKED_ATTENTION, sdpa_mask)
