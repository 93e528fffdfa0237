"""What of a document is read; when two texts are the same, and a place for each text that never changes."""

import hashlib
import unicodedata


def whole_text(title: str | None, text: str, quoted_text: str | None = None) -> str:
    """The title, where there is one the text does not begin with, the text, and on a line of its own what it quotes.

    `storage.human_labels.READ_TEXT` says the same in SQL. Of posts that quote, people's verdicts are met best so;
    docs/why/normalisation.md has the figures.
    """
    whole = f"{text}\n{quoted_text}" if quoted_text and quoted_text not in text else text
    return f"{title}\n{whole}" if title and not text.startswith(title) else whole


def normalised(text: str) -> str:
    """A text as it is compared: NFKC, case folded, runs of white space as one space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def text_hash(text: str) -> bytes:
    """SHA-256 of the normalised text: the same for texts that differ only in case, width or white space."""
    return hashlib.sha256(normalised(text).encode("utf-8", "replace")).digest()


def part_of(key: bytes) -> float:
    """The place in [0, 1) of a text's hash; splits by it are the same in every run."""
    return int.from_bytes(key[:4]) / 2**32
