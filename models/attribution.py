"""What each token adds to a class: gradient x input or integrated gradients, at the embeddings of any encoder."""

from collections.abc import Sequence
from typing import Final, Literal

import torch
from captum.attr import LayerIntegratedGradients
from torch import nn
from transformers import PreTrainedTokenizerBase

from models.classifier import OpinionClassifier

Method = Literal["gradient", "integrated"]

STEPS: Final = 32  # of the integral: within 0.5 % of the strongest attribution that 128 steps give
STEPS_AT_ONCE: Final = 16  # bounds the memory of one window's passes


def blank_token(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token that says nothing, with which every attribution compares: mask, else unknown, else padding."""
    for token in (tokenizer.mask_token_id, tokenizer.unk_token_id, tokenizer.pad_token_id):
        if token is not None:
            return int(token)
    return 0


def attribute(
    model: OpinionClassifier,
    input_ids: Sequence[int],
    blanks: Sequence[int],
    *,
    head: str,
    index: int,
    method: Method,
) -> list[float]:
    """How much each token of one window raises the log-odds of a class over what blank tokens would give.

    Args:
        input_ids: the window with its special tokens.
        blanks: equally many ids: the blank token where a token counts, the token itself where it does not.
        index: of the class within the head.

    Returns:
        One figure a token, 0 where the ids are the same; they sum to about the log-odds that the tokens add.
    """
    window = torch.tensor([list(input_ids)], device=model.device)
    blank = torch.tensor([list(blanks)], device=model.device)
    pick = _integrated if method == "integrated" else _gradient
    return [float(figure) for figure in pick(model, window, blank, head, index)]


def _gradient(
    model: OpinionClassifier, window: torch.Tensor, blank: torch.Tensor, head: str, index: int
) -> torch.Tensor:
    """Gradient x (input - blank): the first-order effect of putting the blank token in a token's place.

    The plain product with the input compares with a vector of zeros, which encoders never see. One pass instead of
    `STEPS`, and good enough for shallow encoders; in deeper ones the slope at the text says little of the way there.
    """
    layer = model.encoder.get_input_embeddings()
    kept: list[torch.Tensor] = []

    def keep(_module: nn.Module, _arguments: object, output: torch.Tensor) -> torch.Tensor:
        kept.append(output.detach().requires_grad_(True))
        return kept[-1]

    handle = layer.register_forward_hook(keep)
    try:
        log_odds = _log_odds(model, window, head, index)
    finally:
        handle.remove()
    (gradient,) = torch.autograd.grad(log_odds.sum(), kept[0])
    with torch.no_grad():
        difference = kept[0] - layer(blank)
    figures: torch.Tensor = (gradient * difference).sum(dim=-1)[0]
    return figures


def _integrated(
    model: OpinionClassifier, window: torch.Tensor, blank: torch.Tensor, head: str, index: int
) -> torch.Tensor:
    """Integrated gradients (Sundararajan et al. 2017, https://arxiv.org/abs/1703.01365) along the straight line."""
    integrated = LayerIntegratedGradients(
        lambda ids: _log_odds(model, ids, head, index), model.encoder.get_input_embeddings()
    )
    found: torch.Tensor = integrated.attribute(
        window, baselines=blank, n_steps=STEPS, internal_batch_size=STEPS_AT_ONCE
    )
    return found.sum(dim=-1)[0].detach()


def _log_odds(model: OpinionClassifier, windows: torch.Tensor, head: str, index: int) -> torch.Tensor:
    """(windows,): the class against all others together; unlike the probability it never saturates."""
    logits = model.split_heads(model(input_ids=windows, attention_mask=torch.ones_like(windows)).logits)[head]
    others = [other for other in range(logits.shape[-1]) if other != index]
    log_odds: torch.Tensor = logits[:, index] - torch.logsumexp(logits[:, others], dim=-1)
    return log_odds
