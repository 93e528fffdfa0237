"""How good a checkpoint is on labelled rows, measured on the opinions that production would give."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from core.records import Opinion
from core.taxonomy import CLASSES, HEADS, Head
from models.datasets import LabelledText
from models.reliability import among, expected_calibration_error

HeadFigures = dict[str, Any]
UNNAMED = "?"


def evaluate(rows: Sequence[LabelledText], opinions: Sequence[Opinion]) -> dict[str, HeadFigures]:
    """The figures per head that `rows` answer; a head without answers is left out.

    Args:
        opinions: one per row, in the same order.

    Returns:
        Per head: `rows` (with an answer), `accuracy` over all classes the head knows, `macro_f1` and `macro_recall`
        over the classes that occur (all classes may be chosen), `ece` (15 bins); the same with the choice limited to
        classes that occur in `rows`: `accuracy_present`, `macro_f1_present`, `ece_present`; `uncertain`: rows and
        accuracy of opinions so marked, and accuracy of the others; `per_class` with precision, recall, f1 and rows;
        `confusion`: `classes` that occur or were answered, and `counts`, one line per true class.
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
    labels = label_ids(head, truth)
    present = np.unique(labels)
    chosen = scores.argmax(axis=1)
    scores_present = among(scores, present)
    chosen_of_present = present[scores_present.argmax(axis=1)]
    precision, recall, f1, support = _per_class(labels, chosen, present)
    return {
        "rows": len(labels),
        "accuracy": _rounded(accuracy_score(labels, chosen)),
        "accuracy_present": _rounded(accuracy_score(labels, chosen_of_present)),
        "macro_f1": _rounded(f1.mean()),
        "macro_f1_present": _rounded(_per_class(labels, chosen_of_present, present)[2].mean()),
        "macro_recall": _rounded(recall.mean()),
        "ece": _rounded(expected_calibration_error(scores, labels)),
        "ece_present": _rounded(expected_calibration_error(scores_present, np.searchsorted(present, labels))),
        "uncertain": _uncertain(is_uncertain(head, opinions), labels == chosen),
        "per_class": {
            classes[label]: {
                "precision": _rounded(precision[position]),
                "recall": _rounded(recall[position]),
                "f1": _rounded(f1[position]),
                "rows": int(support[position]),
            }
            for position, label in enumerate(present)
        },
        "confusion": _confusion(classes, labels, chosen),
    }


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


def score_matrix(head: Head, opinions: Sequence[Opinion]) -> npt.NDArray[np.float64]:
    """(opinions, classes of `core.taxonomy`) float64; a class that the model does not know scores 0."""
    by_class = [opinion.topic_scores if head == "topic" else opinion.sentiment_scores for opinion in opinions]
    return np.array([[scores.get(name, 0.0) for name in CLASSES[head]] for scores in by_class])


def label_ids(head: Head, truth: Sequence[str]) -> npt.NDArray[np.int64]:
    """(rows,) the place of each answer in `core.taxonomy`."""
    return np.array([CLASSES[head].index(answer) for answer in truth], dtype=np.int64)


def is_uncertain(head: Head, opinions: Sequence[Opinion]) -> npt.NDArray[np.bool_]:
    """(opinions,) the mark of doubt of one head."""
    return np.array([one.topic_uncertain if head == "topic" else one.sentiment_uncertain for one in opinions], bool)


def _per_class(labels: npt.NDArray[np.int64], chosen: npt.NDArray[np.int64], present: npt.NDArray[np.int64]) -> Any:
    return precision_recall_fscore_support(labels, chosen, labels=present, average=None, zero_division=0)


def _uncertain(is_doubtful: npt.NDArray[np.bool_], is_right: npt.NDArray[np.bool_]) -> dict[str, int | float | None]:
    return {
        "rows": int(is_doubtful.sum()),
        "accuracy": _rounded(is_right[is_doubtful].mean()) if is_doubtful.any() else None,
        "accuracy_certain": _rounded(is_right[~is_doubtful].mean()) if not is_doubtful.all() else None,
    }


def _confusion(
    classes: Sequence[str], labels: npt.NDArray[np.int64], chosen: npt.NDArray[np.int64]
) -> dict[str, list[Any]]:
    counts = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(counts, (labels, chosen), 1)
    seen = np.union1d(labels, chosen)
    return {"classes": [classes[label] for label in seen], "counts": counts[np.ix_(seen, seen)].tolist()}


def _rounded(value: float) -> float:
    return round(float(value), 4)
