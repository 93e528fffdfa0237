"""Why a verdict is what it is, asked of whoever can load the model, and remembered.

The console itself loads no model: it is given an `Explain` (opinion/explaining.py), which answers one question at a
time. Answers are kept in memory by model version and text, so that a page that is opened again costs nothing.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from core.errors import OpinionError
from core.taxonomy import Head

MOST_KEPT: Final = 256  # some kilobytes each
STEPS: Final = 3  # shades of a word
FAINTEST: Final = 0.1  # of the strongest word; less would colour the whole text


class ExplainerBusyError(OpinionError):
    """Others are waiting for explanations."""


class ExplanationTooLongError(OpinionError):
    """The explanation took too long and was given up."""


class ExplanationFailedError(OpinionError):
    """The model could not explain it; the log has the reason."""


class NoCheckpointError(OpinionError):
    """No model that could explain it is on this machine."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the text, from `start` to `end`, and how much it speaks for the class or, below 0, against it."""

    start: int
    end: int
    attribution: float


@dataclass(frozen=True, slots=True)
class Why:
    """An explained verdict.

    Attributes:
        label, score: the class explained and its calibrated score.
        model_version: which model explains itself.
        fall: by how much the score falls without the words that speak for it most, and without as many random ones;
            None for a text of one word.
    """

    head: Head
    label: str
    score: float
    words: tuple[Word, ...]
    method: str
    model_version: str
    fall: tuple[float, float] | None


class Shaded(NamedTuple):
    """A stretch of the text, and how strongly it speaks: `for-1` to `for-3`, `against-1` to `against-3`, or empty."""

    text: str
    shade: str = ""


Explain = Callable[[str, str, Head], Why]
"""`(model_version, text, head)`; blocks. Explains with that model, or with the champion where its files are gone.

Raises:
    ExplainerBusyError, ExplanationTooLongError, ExplanationFailedError, NoCheckpointError.
"""


class Explanations:
    """Asks, and remembers the newest answers. For any number of threads."""

    def __init__(self, explain: Explain, most: int = MOST_KEPT) -> None:
        self._explain = explain
        self._most = most
        self._kept: OrderedDict[tuple[str, bytes, Head], Why] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, model_version: str, text: str, head: Head) -> Why:
        """Blocks; raises as `Explain`."""
        key = (model_version, hashlib.sha256(text.encode("utf-8", "replace")).digest(), head)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        why = self._explain(model_version, text, head)
        with self._lock:
            self._kept[key] = why
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return why


def shaded(text: str, why: Why) -> list[Shaded]:
    """The text in pieces, each word as dark as it is strong."""
    strongest = max((abs(word.attribution) for word in why.words), default=0.0)
    found: list[Shaded] = []
    place = 0
    for word in sorted(why.words, key=lambda word: word.start):
        share = abs(word.attribution) / strongest if strongest else 0.0
        if share < FAINTEST or word.start < place:
            continue
        if word.start > place:
            found.append(Shaded(text[place : word.start]))
        shade = f"{'for' if word.attribution > 0 else 'against'}-{min(STEPS, int(share * STEPS) + 1)}"
        found.append(Shaded(text[word.start : word.end], shade))
        place = word.end
    return [*found, Shaded(text[place:])] if place < len(text) else found


def strongest(text: str, why: Why, most: int = 8) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
    """The words that speak most for the class, and those most against it."""
    ranked = sorted(why.words, key=lambda word: -word.attribution)
    named = [(text[word.start : word.end], word.attribution) for word in ranked]
    return (
        [one for one in named if one[1] > 0][:most],
        [one for one in reversed(named) if one[1] < 0][:most],
    )
