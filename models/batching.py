"""Which texts go through the model together, and which windows of a long text are read. Pure: no I/O, no tensors."""

from collections.abc import Sequence
from itertools import pairwise

PADDING_SHARE = 0.05
"""Most of a padded batch that may be padding. Smaller batches cost less than more padding: on two CPU cores a pass
of 500 tokens already runs at the speed of the matrix product."""

LEAST_TOKENS = 256
"""A pass of fewer tokens is mostly its own overhead."""
EVEN_SLACK = 64
"""Texts do not fill a pass to the last token; without some room to spare a small pass would be left over."""


def token_budget_batches(lengths: Sequence[int], budget: int, *, is_packed: bool = False) -> list[list[int]]:
    """Group texts of similar length so that little is padded.

    Args:
        lengths: tokens of each text.
        budget: most tokens in one batch, padding included; a longer text gets a batch of its own.
        is_packed: texts are laid end to end; nothing is padded, however different they are.

    Returns:
        Indexes into `lengths`, each exactly once, the longest texts first: if memory is short, the first batch
        shows it. At most `PADDING_SHARE` of a batch is padding.
    """
    if budget < 1:
        raise ValueError(f"budget must be at least 1, got {budget}")
    batches: list[list[int]] = []
    width = tokens = 0  # of the last batch: its longest text, and all of its texts
    for index in sorted(range(len(lengths)), key=lambda position: -lengths[position]):
        length = lengths[index]
        computed = tokens + length if is_packed else width * (len(batches[-1]) + 1) if batches else 0
        is_dense = tokens + length >= (1 - PADDING_SHARE) * computed
        if batches and computed <= budget and is_dense:
            batches[-1].append(index)
            tokens += length
        else:
            batches.append([index])
            width = tokens = length
    return batches


def even_budget(tokens: int, most: int, lanes: int) -> int:
    """The budget of a pass under which as many passes as there are lanes, or some times as many, are equally large:
    none computes while the others have nothing to do.

    Args:
        tokens: of all texts. most: the budget that is not to be passed.
    """
    if lanes == 1 or tokens <= LEAST_TOKENS:
        return most
    passes = -(-tokens // (most * lanes)) * lanes
    return min(most, max(LEAST_TOKENS, -(-tokens // passes) + EVEN_SLACK))


def padding_tokens(lengths: Sequence[int], batches: Sequence[Sequence[int]]) -> int:
    """Tokens computed only because the rows of a batch must be equally long."""
    return sum(
        max(lengths[index] for index in batch) * len(batch) - sum(lengths[index] for index in batch)
        for batch in batches
        if batch
    )


def windows(tokens: int, size: int, overlap: int, most: int) -> list[tuple[int, int]]:
    """Cut a text of `tokens` tokens into windows that cover every token, as long as `most` are enough for that.

    Args:
        size: most tokens in one window.
        overlap: tokens that neighbours share at least, so that a phrase is whole in one of them.
        most: bounds the cost of a very long text; it is then read in so many windows, evenly spread from its
            beginning to its end.

    Returns:
        Half-open `(start, end)` pairs in order. A text that fits is one window (an empty one too); otherwise
        every window is full, and the last reaches to the end.
    """
    if not 0 <= overlap < size:
        raise ValueError(f"overlap must be at least 0 and below {size}, got {overlap}")
    if most < 1:
        raise ValueError(f"at least one window must be read, got {most}")
    if tokens <= size:
        return [(0, tokens)]
    stride = size - overlap
    count = min(most, -(-(tokens - size) // stride) + 1)
    steps = max(count - 1, 1)
    starts = [position * (tokens - size) // steps for position in range(count)]
    return [(start, start + size) for start in starts]


def unread_tokens(tokens: int, read: Sequence[tuple[int, int]]) -> int:
    """How many of a text's tokens lie in none of its windows."""
    return tokens - sum(end - max(start, before) for (_, before), (start, end) in pairwise([(0, 0), *read]))
