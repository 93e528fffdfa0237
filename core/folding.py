"""Text as it is searched: NFKC, case folded, white space as single spaces; and the way back to the text as it came.

Folding changes lengths ("…" becomes "...", "㈱" becomes "(株)", "ß" becomes "ss", "e" with a combining accent becomes
"é"), so each folded character knows the stretch of the original it stands for.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

# Characters that fold to one character each and never join the one before: nearly all of nearly all texts.
PLAIN: Final = "\t\n\r\x20-\x7e\u2013-\u2016\u2018-\u201f\u3001-\u3029\u4e00-\u9fff\uff01-\uff5e\U0001f300-\U0001f9ff"
_PLAIN_RUN: Final = re.compile(rf"(?:[{PLAIN}](?<!\s\s))*")
_FULL_WIDTH: Final = re.compile("[\uff01-\uff5e]")
_FULL_WIDTH_OFFSET: Final = 0xFF01 - ord("!")
_WITHOUT_SPACES: Final = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf"
    r"\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]"
)


class Folded(NamedTuple):
    """A folded text.

    Attributes:
        starts, ends: for each of its characters the half-open stretch of the original it comes from; characters
            that come from the same stretch share it.
    """

    text: str
    starts: Sequence[int]
    ends: Sequence[int]


def fold(text: str) -> Folded:
    """The text as it is searched. Time grows with its length, little for plain Chinese and English."""
    parts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    place = 0
    while place < len(text):
        end = _plain_end(text, place)
        parts.append(_fold_plain(text[place:end]))
        starts += range(place, end)
        ends += range(place + 1, end + 1)
        if end == len(text):
            break
        place = _stretch_end(text, end)
        folded = _fold_stretch(text[end:place])
        parts.append(folded)
        starts += [end] * len(folded)
        ends += [place] * len(folded)
    return Folded("".join(parts), starts, ends)


def is_word(character: str) -> bool:
    """Whether a folded character is part of a word in a script that puts spaces between words.

    Chinese, Japanese and Thai have none, and Korean hangs its particles on a name without one.
    """
    is_part = character.isalnum() or character == "_" or unicodedata.category(character).startswith("M")
    return is_part and not _WITHOUT_SPACES.match(character)


def _plain_end(text: str, start: int) -> int:
    """Where the run of plain characters ends that begins at `start`; its last one may belong to what follows."""
    match = _PLAIN_RUN.match(text, start)
    end = match.end() if match else start
    if start < end < len(text) and (_joins(text[end]) or (text[end].isspace() and text[end - 1].isspace())):
        end -= 1
    return end


def _fold_plain(run: str) -> str:
    """What `_fold_stretch` makes of each character, many times as fast: of these NFKC changes full width only."""
    narrow = _FULL_WIDTH.sub(lambda match: chr(ord(match[0]) - _FULL_WIDTH_OFFSET), run)
    return narrow.casefold().replace("\t", " ").replace("\n", " ").replace("\r", " ")


def _stretch_end(text: str, start: int) -> int:
    """The end of the shortest stretch whose folded form does not depend on what follows."""
    end = start + 1
    if text[start].isspace():
        while end < len(text) and text[end].isspace():
            end += 1
    while end < len(text) and _joins(text[end]):
        end += 1
    return end


@lru_cache(maxsize=8192)
def _fold_stretch(stretch: str) -> str:
    if stretch.isspace():
        return " "
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", stretch).casefold())


@lru_cache(maxsize=8192)
def _joins(character: str) -> bool:
    """Whether it may melt into the character before: a combining mark, a voiced mark, a Hangul vowel or final."""
    first = unicodedata.normalize("NFKD", character)[0]
    return unicodedata.category(first).startswith("M") or "\u1160" <= first <= "\u11ff"
