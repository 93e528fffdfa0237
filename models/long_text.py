"""Texts longer than a window: read in overlapping windows, whose scores are pooled into those of the text.

A topic is what most of a text is about, so the topic scores of the windows are averaged by their tokens. Bad news
is a few sentences among many, and a mean would drown them: where one window is surely negative, its sentiment is
that of the text; otherwise sentiment is averaged, too. How this was chosen: docs/why/classification.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from core.metrics import UNREAD_TOKENS
from models.batching import unread_tokens, windows
from models.classifier import HeadLogits

OVERLAP_SHARE = 8  # neighbouring windows share an eighth of their tokens, so that a phrase is whole in one of them


@dataclass(frozen=True)
class Windows:
    """What is read of some texts.

    Attributes:
        ids: token ids of each window, without special tokens.
        owners: (windows,) int64, which text each belongs to.
        tokens: (windows,) float32, at least 1.
    """

    ids: list[list[int]]
    owners: torch.Tensor
    tokens: torch.Tensor


def cut(texts: Sequence[list[int]], whole: int, size: int, most: int) -> Windows:
    """Args:
    texts: token ids of each, without special tokens.
    whole: a text of at most so many tokens is one window.
    size: most tokens in a window of a longer one.
    most: windows read of one text; if it has more, they are spread evenly.
    """
    ids, owners = [], []
    for owner, text in enumerate(texts):
        is_whole = len(text) <= whole
        read = [(0, len(text))] if is_whole else windows(len(text), size, size // OVERLAP_SHARE, most)
        UNREAD_TOKENS.inc(unread_tokens(len(text), read))
        ids += [text[start:end] for start, end in read]
        owners += [owner] * len(read)
    return Windows(ids, torch.tensor(owners), torch.tensor([max(len(part), 1) for part in ids], dtype=torch.float32))


def pooled(scores: HeadLogits, read: Windows, negative: int, decisive_score: float) -> HeadLogits:
    """Scores of the texts: per head (texts, classes) float32, summing to 1.

    Args:
        scores: of the windows, per head (windows, classes), calibrated.
        negative: the column of `negative` in the sentiment head.
        decisive_score: from how high a score on a window is negative for the whole text; above 1 none is.
    """
    texts = int(read.owners[-1]) + 1
    if texts == len(read.ids):
        return scores
    weights = read.tokens.unsqueeze(1)
    total = torch.zeros(texts, 1).index_add(0, read.owners, weights)
    means = {
        head: torch.zeros(texts, part.shape[1]).index_add(0, read.owners, part * weights) / total
        for head, part in scores.items()
    }
    worst = _worst_windows(scores["sentiment"][:, negative], read.owners, texts)
    is_decisive = scores["sentiment"][worst, negative] >= decisive_score
    sentiment = torch.where(is_decisive.unsqueeze(1), scores["sentiment"][worst], means["sentiment"])
    return {**means, "sentiment": sentiment}


def _worst_windows(negative: torch.Tensor, owners: torch.Tensor, texts: int) -> torch.Tensor:
    """(texts,) the window of each text with the highest score, the first of equal ones."""
    order = torch.argsort(negative, descending=True, stable=True)
    order = order[torch.argsort(owners[order], stable=True)]
    firsts = torch.searchsorted(owners[order], torch.arange(texts))
    return order[firsts]
