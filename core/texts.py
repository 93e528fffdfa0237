"""What of a document is read; when two texts are the same, and a place for each text that never changes."""

import hashlib
import unicodedata


def whole_text(title: str | None, text: str) -> str:
    """The title, where there is one the text does not begin with, and the text."""
    return f"{title}\n{text}" if title and not text.startswith(title) else text


def normalised(text: str) -> str:
    """A text as it is compared: NFKC, case folded, runs of white space as one space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def text_hash(text: str) -> bytes:
    """SHA-256 of the normalised text: the same for texts that differ only in case, width or white space."""
    return hashlib.sha256(normalised(text).encode("utf-8", "replace")).digest()


def part_of(key: bytes) -> float:
    """The place in [0, 1) of a text's hash; splits by it are the same in every run."""
    return int.from_bytes(key[:4]) / 2**32
