"""Documents to opinions: the classifier's slot, and swapping what is in it between two batches."""

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from core.logs import get_logger
from core.metrics import MODEL_SWAPS
from core.records import Document, Opinion

log = get_logger(__name__)


class TextClassifier(Protocol):
    """What the step needs of `models.inference.Classifier`."""

    @property
    def version(self) -> str: ...
    def classify(self, texts: Sequence[str]) -> list[Opinion]: ...


class ClassifyStep:
    """Blocking; run it in a thread, one call at a time."""

    def __init__(self, classifier: TextClassifier, load: Callable[[str], TextClassifier]) -> None:
        """Args:
        load: reads a checkpoint folder and warms it up; may raise `core.errors.ModelError`.
        """
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
        return self._classifier.classify([document_text(document) for document in documents])

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


def document_text(document: Document) -> str:
    """What the classifier reads: the title, where there is one the text does not begin with, and the text."""
    if document.title and not document.text.startswith(document.title):
        return f"{document.title}\n{document.text}"
    return document.text
