"""Crawled text made harmless for a line of a message. Pure."""

import unicodedata
from typing import Final

from core.scrubbing import scrub

EXCERPT_CHARS: Final = 280
SCRUBBED_FOR_EACH_SHOWN: Final = 4  # of a long text only the beginning is shown; white space in it may be cut
_HIDDEN: Final = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}


def excerpt(text: str, most: int = EXCERPT_CHARS) -> str:
    """No personal details (`core.scrubbing`), no control or direction characters, one line, cut."""
    text = scrub(text[: most * SCRUBBED_FOR_EACH_SHOWN])
    visible = "".join(c if unicodedata.category(c) not in _HIDDEN else " " for c in text)
    line = " ".join(visible.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"
