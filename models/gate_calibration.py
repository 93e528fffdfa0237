"""Whether the candidate's scores can still be believed: the calibration error of each head against the champion's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.records import Opinion
from core.taxonomy import HEADS, Head
from models.datasets import LabelledText
from models.evaluation import label_ids, score_matrix
from models.gate_checks import Check, points
from models.gate_options import ERROR_RATE, GateOptions
from models.paired import Difference, Floats, Ints, Statistic, differences
from models.reliability import BINS, Answers, answers, reliability


@dataclass(frozen=True)
class CalibrationChange:
    """One head; `rise` is how much its ECE (`models.reliability`) is above the champion's."""

    head: Head
    rows: int
    champion: float
    candidate: float
    rise: Difference
    is_judged: bool


def measure_calibration(
    rows: Sequence[LabelledText], before: Sequence[Opinion], after: Sequence[Opinion], options: GateOptions
) -> list[CalibrationChange]:
    """Both models on true answers; the opinions are in the order of the rows.

    The intervals are wide enough that both heads together refuse equals in at most `ERROR_RATE` of all cases.
    """
    given = given_answers(rows, before, after)
    confidence = 1 - 2 * ERROR_RATE / max(len(given), 1)
    found = differences(_rises(given), len(rows), confidence=confidence, resamples=options.resamples) if given else {}
    return [
        CalibrationChange(
            head,
            len(places),
            round(reliability(was).expected_error, 4),
            round(reliability(now).expected_error, 4),
            found[head],
            len(places) >= options.slice_rows,
        )
        for head, (places, was, now) in given.items()
    ]


def check_calibration(changes: Sequence[CalibrationChange], options: GateOptions) -> list[Check]:
    """Refused where a head's error rose by more than the margin, and resampling does not explain it away."""
    return [
        Check(
            "calibration",
            not is_worse(change, options) if change.is_judged else None,
            f"calibration error of {change.head} ({change.rows} texts): {100 * change.candidate:.1f} points, "
            f"champion {100 * change.champion:.1f}, {points(change.rise.estimate)} ({points(change.rise.low)} to "
            f"{points(change.rise.high)}), may rise by {100 * options.calibration_margin:g}"
            if change.is_judged
            else f"calibration of {change.head} was not judged: {change.rows} texts",
        )
        for change in changes
    ]


def is_worse(change: CalibrationChange, options: GateOptions) -> bool:
    """Whether this head speaks against the candidate."""
    return change.is_judged and change.rise.estimate > options.calibration_margin and change.rise.low > 0


def given_answers(
    rows: Sequence[LabelledText], before: Sequence[Opinion], after: Sequence[Opinion]
) -> dict[Head, tuple[Ints, Answers, Answers]]:
    """Per head that rows answer: which rows, and what the champion and the candidate answered."""
    found: dict[Head, tuple[Ints, Answers, Answers]] = {}
    for head in HEADS:
        places = np.array([place for place, row in enumerate(rows) if row.label(head) is not None], dtype=np.int64)
        if len(places):
            labels = label_ids(head, [str(rows[place].label(head)) for place in places])
            was, now = (
                answers(score_matrix(head, [opinions[place] for place in places]), labels)
                for opinions in (before, after)
            )
            found[head] = places, was, now
    return found


def _rises(given: Mapping[Head, tuple[Ints, Answers, Answers]]) -> Statistic:
    prepared = {head: (places, _gaps(was), _gaps(now)) for head, (places, was, now) in given.items()}

    def statistic(weights: Floats) -> dict[str, Floats]:
        found: dict[str, Floats] = {}
        for head, (places, was, now) in prepared.items():
            own = weights[:, places]
            rows = np.maximum(own.sum(axis=1), 1)
            found[head] = (np.abs(own @ now).sum(axis=1) - np.abs(own @ was).sum(axis=1)) / rows
        return found

    return statistic


def _gaps(given: Answers) -> Floats:
    """(rows, bins): confidence less rightness, in the row's bin. Summed by bin they are the error, as in `ECE`."""
    bins = np.minimum((given.confidence * BINS).astype(int), BINS - 1)
    gaps = np.zeros((len(bins), BINS))
    gaps[np.arange(len(bins)), bins] = given.confidence - given.is_right
    return gaps
