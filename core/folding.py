"""Text as it is searched: NFKC, case folded, traditional Chinese characters as simplified ones, white space as single
spaces; and the way back to the text as it came.

Folding changes lengths ("…" becomes "...", "㈱" becomes "(株)", "ß" becomes "ss", "e" with a combining accent becomes
"é"), so each folded character knows the stretch of the original it stands for. Characters are simplified one for one
(`core/traditional.txt`), without regard to the words they stand in: what is folded is compared, never shown.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache, cached_property, lru_cache
from importlib.resources import files
from typing import Final, NamedTuple

# Characters that fold to one character each and never join the one before: nearly all of nearly all texts.
PLAIN: Final = "\t\n\r\x20-\x7e\u2013-\u2016\u2018-\u201f\u3001-\u3029\u4e00-\u9fff\uff01-\uff5e\U0001f300-\U0001f9ff"
_PLAIN_RUN: Final = re.compile(
    r"(?:[\x21-\x7e\u2013-\u2016\u2018-\u201f\u3001-\u3029\u4e00-\u9fff\uff01-\uff5e]+|[\t\n\r ](?<!\s\s)"
    r"|[\U0001f300-\U0001f9ff]+)*"  # by itself: `re` is slower with a class that goes beyond U+FFFF
)
_FULL_WIDTH: Final = re.compile("[\uff01-\uff5e]")
_FULL_WIDTH_OFFSET: Final = 0xFF01 - ord("!")
_WITHOUT_SPACES: Final = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf"
    r"\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]"
)


class _Run(NamedTuple):
    """A stretch of the original and where its folded form begins."""

    folded: int
    start: int
    end: int
    is_plain: bool  # each character has become one character


class Folded:
    """A folded text. The way back is worked out when somebody asks for it: most texts hold nothing that is sought.

    Attributes:
        text: as it is searched.
    """

    def __init__(self, text: str, runs: Sequence[_Run]) -> None:
        self.text = text
        self._runs = runs

    @cached_property
    def starts(self) -> Sequence[int]:
        """For each folded character where the stretch of the original begins that it comes from."""
        return self._way_back(lambda run: range(run.start, run.end), lambda run: run.start)

    @cached_property
    def ends(self) -> Sequence[int]:
        """Likewise where that stretch ends; characters that come from the same stretch share both."""
        return self._way_back(lambda run: range(run.start + 1, run.end + 1), lambda run: run.end)

    def _way_back(self, plain: Callable[[_Run], range], other: Callable[[_Run], int]) -> Sequence[int]:
        if len(self._runs) == 1 and self._runs[0].is_plain:
            return plain(self._runs[0])
        places: list[int] = []
        ends = [*(run.folded for run in self._runs[1:]), len(self.text)][: len(self._runs)]
        for run, end in zip(self._runs, ends, strict=True):
            places += plain(run) if run.is_plain else [other(run)] * (end - run.folded)
        return places


def fold(text: str, *, simplify: bool = True) -> Folded:
    """The text as it is searched. Time grows with its length, little for plain Chinese and English.

    Args:
        simplify: False leaves traditional characters as they are, as PostgreSQL's `search_fold` does.
    """
    parts: list[str] = []
    runs: list[_Run] = []
    place = folded = 0

    def take(part: str, end: int, *, is_plain: bool) -> None:
        nonlocal place, folded
        if end > place:
            parts.append(simplified(part) if simplify else part)
            runs.append(_Run(folded, place, end, is_plain))
            folded += len(part)
            place = end

    while place < len(text):
        end = _plain_end(text, place)
        take(_fold_plain(text[place:end]), end, is_plain=True)
        if place < len(text):
            end = _stretch_end(text, place)
            take(_fold_stretch(text[place:end]), end, is_plain=False)
    return Folded("".join(parts), runs)


@lru_cache(maxsize=8192)
def is_word(character: str) -> bool:
    """Whether a folded character is part of a word in a script that puts spaces between words.

    Chinese, Japanese and Thai have none, and Korean hangs its particles on a name without one.
    """
    is_part = character.isalnum() or character == "_" or unicodedata.category(character).startswith("M")
    return is_part and not _WITHOUT_SPACES.match(character)


def simplified(text: str) -> str:
    """Each traditional character as its simplified one; the length stays. Nearly free where there is none."""
    table, traditional = _traditional()
    return text.translate(table) if traditional.search(text) else text


@cache
def _traditional() -> tuple[dict[int, str], re.Pattern[str]]:
    """The table of `traditional.txt`, and what finds out whether a text needs it."""
    lines = files("core").joinpath("traditional.txt").read_text(encoding="utf-8").splitlines()
    pairs = "".join(line for line in lines if not line.startswith("#"))
    table = {ord(key): value for key, value in zip(pairs[::2], pairs[1::2], strict=True)}
    # `re` looks up a class in constant time only if it has nothing beyond U+FFFF; all of that plane are "any" here.
    low = "".join(chr(key) for key in table if key <= 0xFFFF)
    return table, re.compile(f"[{low}]|[\U00020000-\U0002ffff]")


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
