"""Documents to opinions: the classifier's slot, and swapping what is in it between two batches.

What a document says around its mentions of a watchlist, with these marked (`models.targets`), goes through the same
call, so that a batch stays one batch and one model version.
"""

import threading
from collections.abc import Callable, Sequence
from itertools import chain, islice
from statistics import fmean
from typing import Protocol

import msgspec

from core.logs import get_logger
from core.metrics import MODEL_SWAPS
from core.records import Document, Mention, Opinion
from core.taxonomy import SENTIMENTS
from core.texts import whole_text
from core.watchlists import Span, Watchlists
from models.targets import readings

log = get_logger(__name__)

MOST_TARGETS = 32
"""A document that mentions more watchlists is a list, such as a table of share prices: it says the same of all, and
asking about each would cost more than the rest of its batch."""


class TextClassifier(Protocol):
    """What the step needs of `models.inference.Classifier`."""

    @property
    def version(self) -> str: ...
    @property
    def reads_targets(self) -> bool: ...
    @property
    def uncertain_below(self) -> float: ...
    def classify(self, texts: Sequence[str]) -> list[Opinion]: ...


class ClassifyStep:
    """Blocking; run it in a thread. Calls may overlap: each takes one classifier, and keeps it to its end."""

    def __init__(
        self,
        classifier: TextClassifier,
        load: Callable[[str], TextClassifier],
        watchlists: Callable[[], Watchlists] = Watchlists,
    ) -> None:
        """Args:
        load: reads a checkpoint folder and warms it up; may raise `core.errors.ModelError`.
        watchlists: asked once for each batch, so that a batch is matched by one state of them.
        """
        self._watchlists = watchlists
        self._classifier = classifier
        self._load = load
        self._next: TextClassifier | None = None
        self._lock = threading.Lock()

    @property
    def version(self) -> str:
        return self._classifier.version

    def run(self, documents: Sequence[Document]) -> list[Opinion]:
        """One opinion per document, all from the same model version."""
        return opinions_on(self._current(), self._watchlists(), documents)

    def prepare(self, version: str, path: str) -> str | None:
        """Load another version, off the batch's way; the next batch uses it.

        Returns:
            Why it could not be loaded, None when it is; a worker that cannot load keeps the model it has.
        """
        with self._lock:
            if version == self.version:
                self._next = None  # of an announcement that was taken back before any batch came
                return None
            if self._next is not None and self._next.version == version:
                return None
        try:
            loaded = self._load(path)
        except Exception as error:
            log.error("model_not_loaded", version=version, path=path, error=str(error), keeps=self.version)
            return f"{type(error).__name__}: {error}"
        with self._lock:
            self._next = loaded
        log.info("model_ready", version=loaded.version)
        return None

    def _current(self) -> TextClassifier:
        """The one for a batch that begins now."""
        with self._lock:
            if self._next is not None:
                log.info("model_swapped", before=self._classifier.version, after=self._next.version)
                self._classifier, self._next = self._next, None
                MODEL_SWAPS.inc()
            return self._classifier


def opinions_on(classifier: TextClassifier, watchlists: Watchlists, documents: Sequence[Document]) -> list[Opinion]:
    """One opinion per document, with its mentions of watchlists."""
    texts = [document_text(document) for document in documents]
    found = [
        watchlists.find(text, source=document.source, lang=document.lang or "")
        for text, document in zip(texts, documents, strict=True)
    ]
    asked = [
        what_to_read(classifier, text, spans, watchlists_mentioned=len(mentions))
        for text, mentions in zip(texts, found, strict=True)
        for spans in mentions.values()
    ]
    answers = iter(classifier.classify([*texts, *chain.from_iterable(asked)]))
    opinions = list(islice(answers, len(texts)))
    toward = iter([list(islice(answers, len(read))) for read in asked])
    mentioned = [
        tuple(
            mention_of(name, len(spans), next(toward), classifier.uncertain_below) for name, spans in mentions.items()
        )
        for mentions in found
    ]
    return [
        msgspec.structs.replace(opinion, mentions=mentions) if mentions else opinion
        for opinion, mentions in zip(opinions, mentioned, strict=True)
    ]


def what_to_read(
    classifier: TextClassifier, text: str, spans: Sequence[Span], *, watchlists_mentioned: int
) -> tuple[str, ...]:
    """The texts whose opinions, taken together, are the one toward a watchlist.

    Args:
        watchlists_mentioned: how many the document mentions in all; see `MOST_TARGETS`.
    """
    if watchlists_mentioned > MOST_TARGETS:
        return (text,)
    return readings(text, spans, is_marked=classifier.reads_targets)


def mention_of(watchlist: str, times: int, answers: Sequence[Opinion], uncertain_below: float) -> Mention:
    """The mean of what the readings say."""
    scores: dict[str, float] = {
        sentiment: round(fmean(answer.sentiment_scores[sentiment] for answer in answers), 4)
        for sentiment in SENTIMENTS
    }
    best = max(SENTIMENTS, key=scores.__getitem__)
    return Mention(
        watchlist=watchlist,
        mentions=times,
        sentiment=best,
        sentiment_scores=scores,
        sentiment_uncertain=scores[best] < uncertain_below,
    )


def document_text(document: Document) -> str:
    """What the classifier reads, and where watchlists are looked for."""
    return whole_text(document.title, document.text, document.quoted_text)
