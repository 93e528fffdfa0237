"""How far scores can be believed: reliability, its one figure (ECE), and what passing over doubtful answers wins."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]
Bools = npt.NDArray[np.bool_]
BINS = 15  # as in Guo et al. 2017, so that figures can be compared


@dataclass(frozen=True)
class Answers:
    """What was answered, each (rows,): how confident (the best score), and whether rightly."""

    confidence: Floats
    is_right: Bools


@dataclass(frozen=True)
class ReliabilityBins:
    """What answers of about the same confidence came to; each (bins,), equally wide over 0..1.

    Attributes:
        rows: answers in the bin.
        confidence, accuracy: their mean; 0 in an empty bin.
    """

    rows: Ints
    confidence: Floats
    accuracy: Floats

    @property
    def expected_error(self) -> float:
        """ECE: the distance between confidence and accuracy, averaged over rows; 0 is perfect, 0 without rows."""
        gaps = self.rows * np.abs(self.confidence - self.accuracy)
        return float(gaps.sum() / max(self.rows.sum(), 1))


@dataclass(frozen=True)
class TradeOff:
    """What calling answers below `threshold` uncertain does.

    Attributes:
        uncertain: share of the answers.
        accuracy_certain, accuracy_uncertain: of the others, and of these; None where there are none.
        errors_caught: share of all wrong answers that are among the uncertain ones.
    """

    threshold: float
    uncertain: float
    accuracy_certain: float | None
    accuracy_uncertain: float | None
    errors_caught: float


def answers(scores: Floats, labels: Ints) -> Answers:
    """Args:
    scores: (rows, classes), each row summing to 1.
    labels: (rows,) class index.
    """
    if len(labels) == 0:
        return Answers(np.empty(0), np.empty(0, dtype=bool))
    return Answers(scores.max(axis=1), scores.argmax(axis=1) == labels)


def pooled(parts: Iterable[Answers]) -> Answers:
    """The answers of all parts, in their order."""
    listed = [*parts, Answers(np.empty(0), np.empty(0, dtype=bool))]
    return Answers(
        np.concatenate([part.confidence for part in listed]), np.concatenate([part.is_right for part in listed])
    )


def reliability(given: Answers, bins: int = BINS) -> ReliabilityBins:
    """Confidence against accuracy."""
    bin_of = np.minimum((given.confidence * bins).astype(int), bins - 1)
    rows = np.bincount(bin_of, minlength=bins)
    divisor = np.maximum(rows, 1)
    return ReliabilityBins(
        rows,
        np.bincount(bin_of, given.confidence, bins) / divisor,
        np.bincount(bin_of, given.is_right, bins) / divisor,
    )


def expected_calibration_error(scores: Floats, labels: Ints, bins: int = BINS) -> float:
    """See `ReliabilityBins.expected_error`; the arguments are those of `answers`."""
    return reliability(answers(scores, labels), bins).expected_error


def trade_offs(given: Answers, thresholds: Iterable[float]) -> list[TradeOff]:
    """One line per threshold, of at least one answer."""
    lines = []
    for threshold in thresholds:
        doubtful = given.confidence < threshold
        wrong = ~given.is_right
        lines.append(
            TradeOff(
                threshold,
                float(doubtful.mean()),
                _mean(given.is_right[~doubtful]),
                _mean(given.is_right[doubtful]),
                float((doubtful & wrong).sum() / max(wrong.sum(), 1)),
            )
        )
    return lines


def without_temperature(scores: Floats, temperatures: Floats) -> Floats:
    """What softmax gave before it was divided by a temperature: scores to its power, summing to 1 again.

    Exact for texts of one window; of a longer one, whose windows were averaged since, nearly so.

    Args:
        scores: (rows, classes), calibrated.
        temperatures: (rows,).
    """
    powers: Floats = scores ** temperatures[:, None]
    sharpened: Floats = powers / powers.sum(axis=1, keepdims=True)
    return sharpened


def among(scores: Floats, classes: Ints) -> Floats:
    """Scores of some classes as if there were no others: (rows, those classes), summing to 1."""
    kept: Floats = np.maximum(scores[:, classes], np.finfo(np.float64).tiny)  # rounded scores may all be 0
    shares: Floats = kept / kept.sum(axis=1, keepdims=True)
    return shares


def _mean(values: Bools) -> float | None:
    return float(values.mean()) if len(values) else None
