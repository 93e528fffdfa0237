"""Documents to opinions: the classifier's slot, and swapping what is in it between two batches.

Of a document that mentions watchlists the sentences around the mentions of each, with these marked
(`models.targets`), go through the same call, so that a batch stays one batch and one model version.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from core.logs import get_logger
from core.metrics import MODEL_SWAPS
from core.records import Document, Mention, Opinion
from core.watchlists import Span, Watchlists
from models.targets import context_of

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
    def classify(self, texts: Sequence[str]) -> list[Opinion]: ...


class ClassifyStep:
    """Blocking; run it in a thread, one call at a time."""

    def __init__(
        self,
        classifier: TextClassifier,
        load: Callable[[str], TextClassifier],
        watchlists: Watchlists = Watchlists(),
    ) -> None:
        """Args:
        load: reads a checkpoint folder and warms it up; may raise `core.errors.ModelError`.
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
        self._swap()
        return opinions_on(self._classifier, self._watchlists, [document_text(document) for document in documents])

    def prepare(self, version: str, path: str) -> bool:
        """Load another version, off the batch's way; the next batch uses it. Returns whether it could be loaded:
        a worker that cannot load keeps the model it has."""
        if version == self.version:
            return True
        try:
            loaded = self._load(path)
        except Exception as error:
            log.error("model_not_loaded", version=version, path=path, error=str(error), keeps=self.version)
            return False
        with self._lock:
            self._next = loaded
        log.info("model_ready", version=loaded.version)
        return True

    def _swap(self) -> None:
        with self._lock:
            if self._next is not None:
                log.info("model_swapped", before=self._classifier.version, after=self._next.version)
                self._classifier, self._next = self._next, None
                MODEL_SWAPS.inc()


def opinions_on(classifier: TextClassifier, watchlists: Watchlists, texts: Sequence[str]) -> list[Opinion]:
    """One opinion per text, with its mentions of watchlists."""
    found = [watchlists.find(text) for text in texts]
    contexts = [
        context_of(text, spans, is_marked=classifier.reads_targets) if len(mentions) <= MOST_TARGETS else text
        for text, mentions in zip(texts, found, strict=True)
        for spans in mentions.values()
    ]
    opinions = classifier.classify([*texts, *contexts])
    toward = iter(opinions[len(texts) :])
    return [
        msgspec.structs.replace(opinion, mentions=tuple(_mention(*item, next(toward)) for item in mentions.items()))
        if mentions
        else opinion
        for opinion, mentions in zip(opinions, found, strict=False)
    ]


def _mention(watchlist: str, spans: Sequence[Span], toward: Opinion) -> Mention:
    return Mention(
        watchlist=watchlist,
        mentions=len(spans),
        sentiment=toward.sentiment,
        sentiment_scores=toward.sentiment_scores,
        sentiment_uncertain=toward.sentiment_uncertain,
    )


def document_text(document: Document) -> str:
    """What the classifier reads: the title, where there is one the text does not begin with, and the text."""
    if document.title and not document.text.startswith(document.title):
        return f"{document.title}\n{document.text}"
    return document.text
