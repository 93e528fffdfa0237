"""Documents of one window as the champion reads them: what every measure of drift is computed from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from core.taxonomy import CLASSES, Head

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

GRAM_FEATURES: Final = 2**16
GRAM_CHARS: Final = 300  # of a text are looked at; what it is about shows in its beginning
FEWEST_DAYS: Final = 8  # with fewer, a window is cut into as many pieces of equal size


@dataclass(frozen=True)
class Sample:
    """Documents of a window; all arrays have one row for each.

    Attributes:
        blocks: the piece of time that each is of. Pieces are resampled whole, for what is written on one day
            resembles itself.
        grams: sparse counts of character n-grams, rows of length 1.
        lengths: log of characters.
        sources, langs: names.
        scores: by head, (documents, classes of `core.taxonomy`), calibrated.
        vectors: (documents, width) of the champion's encoder; None where there are none.
    """

    blocks: Ints
    grams: Any
    lengths: Floats
    sources: npt.NDArray[np.object_]
    langs: npt.NDArray[np.object_]
    scores: Mapping[Head, Floats]
    vectors: Floats | None

    def __len__(self) -> int:
        return len(self.blocks)

    def take(self, places: npt.NDArray[Any]) -> "Sample":
        """Some of the documents, by place or by a mask."""
        return Sample(
            self.blocks[places],
            self.grams[places],
            self.lengths[places],
            self.sources[places],
            self.langs[places],
            {head: scores[places] for head, scores in self.scores.items()},
            None if self.vectors is None else self.vectors[places],
        )


def build(
    texts: Sequence[str],
    times: Sequence[datetime],
    sources: Sequence[str],
    langs: Sequence[str],
    scores: Mapping[Head, Floats],
    vectors: npt.NDArray[Any] | None,
) -> Sample:
    """A sample of documents, each argument one of their fields."""
    return Sample(
        blocks_of(times),
        grams_of(texts),
        np.log1p(np.array([len(text) for text in texts], dtype=np.float64)),
        np.array(sources, dtype=object),
        np.array(langs, dtype=object),
        scores,
        None if vectors is None else np.asarray(vectors, dtype=np.float64),
    )


def grams_of(texts: Sequence[str]) -> Any:
    """Sparse (texts, GRAM_FEATURES): runs of one to three characters, hashed, so that no vocabulary is kept."""
    from sklearn.feature_extraction.text import HashingVectorizer

    hashing = HashingVectorizer(
        analyzer="char", ngram_range=(1, 3), n_features=GRAM_FEATURES, alternate_sign=False, dtype=np.float64
    )
    return hashing.transform([text[:GRAM_CHARS] for text in texts]) if texts else np.empty((0, GRAM_FEATURES))


def blocks_of(times: Sequence[datetime]) -> Ints:
    """Days (UTC) where there are enough of them, else pieces of equal size in the order of time."""
    days = np.array([int(at.timestamp() // 86_400) for at in times], dtype=np.int64)
    if len(np.unique(days)) >= FEWEST_DAYS or not len(days):
        return days
    order = np.argsort([at.timestamp() for at in times], kind="stable")
    pieces = np.empty(len(days), dtype=np.int64)
    pieces[order] = np.arange(len(days)) * FEWEST_DAYS // len(days)
    return pieces


def class_shares(scores: Floats) -> Floats:
    """Share of documents whose best score is of each class."""
    return np.bincount(scores.argmax(axis=1), minlength=scores.shape[1]) / max(len(scores), 1)


def classes_of(head: Head) -> tuple[str, ...]:
    """The classes in the order of a sample's scores."""
    return CLASSES[head]
