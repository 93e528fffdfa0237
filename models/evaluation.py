"""How good a checkpoint is on labelled rows, measured on the opinions that production would give."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from core.records import Opinion
from core.taxonomy import CLASSES, HEADS, Head
from models.calibration import expected_calibration_error
from models.datasets import LabelledText

HeadFigures = dict[str, Any]
UNNAMED = "?"


def evaluate(rows: Sequence[LabelledText], opinions: Sequence[Opinion]) -> dict[str, HeadFigures]:
    """The figures per head that `rows` answer; a head without answers is left out.

    Args:
        opinions: one per row, in the same order.

    Returns:
        Per head: `rows` (with an answer), `accuracy` over all classes the head knows, `accuracy_present` with the
        choice limited to classes that occur in `rows`, `macro_f1` and `macro_recall` over the classes that occur
        (all classes may be chosen), `ece` (15 bins), `per_class` with precision, recall, f1 and rows.
    """
    figures: dict[str, HeadFigures] = {}
    for head in HEADS:
        answered = [index for index, row in enumerate(rows) if row.label(head) is not None]
        if answered:
            truth = [str(rows[index].label(head)) for index in answered]
            figures[head] = head_figures(head, truth, [opinions[index] for index in answered])
    return figures


def head_figures(head: Head, truth: Sequence[str], opinions: Sequence[Opinion]) -> HeadFigures:
    """The figures of one head, see `evaluate`; both sequences are equally long and not empty."""
    classes = CLASSES[head]
    scores = score_matrix(head, opinions)
    labels = np.array([classes.index(answer) for answer in truth])
    present = np.unique(labels)
    chosen = scores.argmax(axis=1)
    chosen_of_present = present[scores[:, present].argmax(axis=1)]
    precision, recall, f1, support = precision_recall_fscore_support(
        labels, chosen, labels=present, average=None, zero_division=0
    )
    return {
        "rows": len(labels),
        "accuracy": _rounded(accuracy_score(labels, chosen)),
        "accuracy_present": _rounded(accuracy_score(labels, chosen_of_present)),
        "macro_f1": _rounded(f1.mean()),
        "macro_recall": _rounded(recall.mean()),
        "ece": _rounded(expected_calibration_error(scores, labels)),
        "per_class": {
            classes[label]: {
                "precision": _rounded(precision[position]),
                "recall": _rounded(recall[position]),
                "f1": _rounded(f1[position]),
                "rows": int(support[position]),
            }
            for position, label in enumerate(present)
        },
    }


def score_matrix(head: Head, opinions: Sequence[Opinion]) -> npt.NDArray[np.float64]:
    """(opinions, classes of `core.taxonomy`) float64; a class that the model does not know scores 0."""
    by_class = [opinion.topic_scores if head == "topic" else opinion.sentiment_scores for opinion in opinions]
    return np.array([[scores.get(name, 0.0) for name in CLASSES[head]] for scores in by_class])


def by_language(rows: Sequence[LabelledText], opinions: Sequence[Opinion]) -> dict[str, dict[str, HeadFigures]]:
    """`evaluate` for each language that occurs in `rows`; `?` where a row names none."""
    languages = sorted({row.lang or UNNAMED for row in rows})
    return {
        language: evaluate(
            [row for row in rows if (row.lang or UNNAMED) == language],
            [opinion for row, opinion in zip(rows, opinions, strict=True) if (row.lang or UNNAMED) == language],
        )
        for language in languages
    }


def _rounded(value: float) -> float:
    return round(float(value), 4)
