"""Seeing rare classes more often: labels of one campaign are lopsided, and macro-F1 counts every class alike."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from core.taxonomy import HEADS
from core.texts import part_of, text_hash
from models.datasets import LabelledText

POWER: Final = 0.5  # of the even share: the full one would have a handful of texts seen hundreds of times
MOST_REPEATS: Final = 4.0


def repeats(rows: Sequence[LabelledText]) -> list[int]:
    """How often each row is seen in one epoch, at least once; the same for the same rows.

    A row whose class is `n` times rarer than its head's most frequent one is seen about `sqrt(n)` times.
    """
    counts = {head: Counter(row.label(head) for row in rows if row.label(head)) for head in HEADS}
    found = []
    for row in rows:
        shares = [
            (max(counts[head].values()) / counts[head][row.label(head)]) ** POWER for head in HEADS if row.label(head)
        ]
        wanted = min(MOST_REPEATS, max(shares, default=1.0))
        whole = int(wanted)
        found.append(whole + (part_of(text_hash(row.text)) < wanted - whole))
    return found
