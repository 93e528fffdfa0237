"""Where some words stand in a text, as pieces that a template escapes one by one. Pure."""

import re
from collections.abc import Sequence
from typing import NamedTuple

MOST_WORDS = 50


class Marked(NamedTuple):
    """A part of a text, and whether it is one of the words."""

    text: str
    is_word: bool


def marked(text: str, words: Sequence[str]) -> list[Marked]:
    """The text in pieces, whatever the case of the words; longer words go before shorter ones."""
    wanted = sorted((word for word in words[:MOST_WORDS] if word), key=len, reverse=True)
    if not wanted:
        return [Marked(text, False)]
    pieces = re.split(f"({'|'.join(map(re.escape, wanted))})", text, flags=re.IGNORECASE)
    return [Marked(piece, nth % 2 == 1) for nth, piece in enumerate(pieces) if piece]
