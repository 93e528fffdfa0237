"""What checks for drift say, as values: no arithmetic and no libraries, so that every process can read them."""

from dataclasses import dataclass, field
from math import sqrt
from typing import Any, Final, Literal, get_args

Measure = Literal[
    "text",
    "length",
    "source_mix",
    "language_mix",
    "topic_share",
    "sentiment_share",
    "topic_confidence",
    "sentiment_confidence",
    "topic_accuracy",
    "sentiment_accuracy",
    "embedding",
]
SliceKind = Literal["all", "lang", "source"]
MEASURES: Final[tuple[Measure, ...]] = get_args(Measure)
ABOUT: Final[dict[Measure, tuple[str, str]]] = {
    "text": ("how texts are written", "AUC of telling new from old, 0.5: cannot"),
    "length": ("lengths of texts", "Kolmogorov-Smirnov distance"),
    "source_mix": ("shares of sources", "total variation"),
    "language_mix": ("shares of languages", "total variation"),
    "topic_share": ("shares of predicted topics", "total variation"),
    "sentiment_share": ("shares of predicted sentiments", "total variation"),
    "topic_confidence": ("how sure the topics are", "Wasserstein distance of scores"),
    "sentiment_confidence": ("how sure the sentiments are", "Wasserstein distance of scores"),
    "topic_accuracy": ("accuracy on topics, as estimated", "lost since the champion took over"),
    "sentiment_accuracy": ("accuracy on sentiments, as estimated", "lost since the champion took over"),
    "embedding": ("what the encoder makes of texts", "distance of means in spreads"),
}
"""By measure: what it looks at, and in which unit."""


@dataclass(frozen=True)
class Figure:
    """What one measure says of one slice.

    Attributes:
        slice_value: a language or a source; empty for all.
        threshold: what the effect has to exceed: the larger of what chance does and what matters.
        detail: what else is known, such as estimated shares and accuracy; as JSON.
    """

    slice_kind: SliceKind
    slice_value: str
    measure: Measure
    effect: float
    threshold: float
    reference_documents: int
    current_documents: int
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def is_drifted(self) -> bool:
        return self.effect > self.threshold


@dataclass(frozen=True)
class Proposal:
    """A cluster of doubtful documents that might become a topic.

    Attributes:
        terms: the words that its documents hold more often than the other doubtful ones, best first.
        places: of its documents, the most typical first.
        examples: the places of those to show.
        now, before: documents of the newer and of the older window.
    """

    terms: tuple[str, ...]
    places: tuple[int, ...]
    examples: tuple[int, ...]
    now: int
    before: int

    @property
    def growth(self) -> float:
        """How many times as many documents as before; one is added to both, so that it is always a number."""
        return (self.now + 1) / (self.before + 1)

    @property
    def surprise(self) -> float:
        """Standard deviations by which it has grown, were both windows alike."""
        return (self.now - self.before) / sqrt(max(self.now + self.before, 1))
