"""Which texts go through the model together, and how long texts are cut into windows. Pure: no I/O, no tensors."""

from collections.abc import Sequence


def token_budget_batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Group texts of similar length so that little is padded.

    Args:
        lengths: tokens of each text.
        budget: most tokens in one batch, padding included; a longer text gets a batch of its own.

    Returns:
        Indexes into `lengths`, each exactly once, the longest texts first: if memory is short, the first batch
        shows it.
    """
    if budget < 1:
        raise ValueError(f"budget must be at least 1, got {budget}")
    batches: list[list[int]] = []
    width = 0
    for index in sorted(range(len(lengths)), key=lambda position: -lengths[position]):
        if batches and width * (len(batches[-1]) + 1) <= budget:
            batches[-1].append(index)
        else:
            batches.append([index])
            width = lengths[index]
    return batches


def padding_tokens(lengths: Sequence[int], batches: Sequence[Sequence[int]]) -> int:
    """Tokens computed only because the rows of a batch must be equally long."""
    return sum(
        max(lengths[index] for index in batch) * len(batch) - sum(lengths[index] for index in batch)
        for batch in batches
        if batch
    )


def windows(tokens: int, size: int, overlap: int) -> list[tuple[int, int]]:
    """Cut a text of `tokens` tokens into windows that cover every token.

    Args:
        size: most tokens in one window.
        overlap: tokens that neighbours share at least, so that a phrase is whole in one of them.

    Returns:
        Half-open `(start, end)` pairs in order. A text that fits is one window (an empty one too); otherwise
        every window is full, and the last reaches back as far as it needs for that.
    """
    if not 0 <= overlap < size:
        raise ValueError(f"overlap must be at least 0 and below {size}, got {overlap}")
    if tokens <= size:
        return [(0, tokens)]
    starts = [*range(0, tokens - size, size - overlap), tokens - size]
    return [(start, start + size) for start in starts]
