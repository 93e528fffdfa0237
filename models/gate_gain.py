"""Whether the candidate is better on the labels that nobody trained on, by a paired test."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from core.records import Opinion
from core.taxonomy import HEADS
from models.datasets import LabelledText
from models.evaluation import label_ids, score_matrix
from models.gate_checks import Check, points
from models.gate_options import GateOptions
from models.paired import MEAN, Difference, PairedHead, differences, macro_f1_differences, mcnemar

FEW_TEXTS: Final = 50  # below this a verdict is announced as a weak one


@dataclass(frozen=True)
class Gain:
    """Both models on the held-out labels.

    Attributes:
        champion, candidate: macro-F1 per head.
        heads: the difference per head.
        mean: the difference in the mean of the heads: the verdict.
        gained, lost: answers that only the candidate, or only the champion, has right.
        chance: of so uneven a split between equals, see `models.paired.mcnemar`.
    """

    texts: int
    champion: dict[str, float]
    candidate: dict[str, float]
    heads: dict[str, Difference]
    mean: Difference
    gained: int
    lost: int
    chance: float


def measure_gain(
    rows: Sequence[LabelledText], before: Sequence[Opinion], after: Sequence[Opinion], options: GateOptions
) -> Gain | None:
    """Compare on true answers; the opinions are in the order of the rows. None where no row answers any head."""
    heads = paired_heads(rows, before, after)
    if not heads:
        return None
    found = differences(
        macro_f1_differences(heads), len(rows), confidence=options.confidence, resamples=options.resamples
    )
    right = [(head.before == head.labels, head.after == head.labels) for head in heads.values()]
    gained = sum(int((now & ~was).sum()) for was, now in right)
    lost = sum(int((was & ~now).sum()) for was, now in right)
    mean = found.pop(MEAN)
    return Gain(
        len(rows),
        {name: macro_f1(head.labels, head.before) for name, head in heads.items()},
        {name: macro_f1(head.labels, head.after) for name, head in heads.items()},
        found,
        mean,
        gained,
        lost,
        mcnemar(gained, lost),
    )


def check_gain(gain: Gain | None, options: GateOptions) -> list[Check]:
    """The verdict on it, and a note where few texts decided. Nothing to judge by accepts nobody."""
    if gain is None:
        return [
            Check("held-out labels", False, f"held-out labels: there are none to show that it is {options.policy}")
        ]
    bound = 0.0 if options.policy == "better" else -options.margin
    heads = ", ".join(
        f"{head} {gain.candidate[head]:.4f} against {gain.champion[head]:.4f}, {_interval(found)}"
        for head, found in sorted(gain.heads.items())
    )
    checks = [
        Check(
            "held-out labels",
            gain.mean.low > bound,
            f"held-out labels ({gain.texts} texts): {points(gain.mean.estimate)} points of macro-F1, "
            f"{100 * options.confidence:.0f} % of resamples between {points(gain.mean.low)} and "
            f"{points(gain.mean.high)}; all of it must be above {100 * bound:g} to be {options.policy} than the "
            f"champion ({heads}; {gain.gained} answers gained, {gain.lost} lost, exact McNemar p {gain.chance:.2g})",
        )
    ]
    if gain.texts < FEW_TEXTS:
        checks.append(Check("held-out labels", None, f"a weak verdict: only {gain.texts} held-out texts"))
    return checks


def paired_heads(
    rows: Sequence[LabelledText], before: Sequence[Opinion], after: Sequence[Opinion]
) -> dict[str, PairedHead]:
    """Each head that rows answer, in class indices of `core.taxonomy`."""
    heads: dict[str, PairedHead] = {}
    for head in HEADS:
        places = np.array([place for place, row in enumerate(rows) if row.label(head) is not None], dtype=np.int64)
        if len(places):
            chosen = (
                score_matrix(head, [opinions[place] for place in places]).argmax(axis=1)
                for opinions in (before, after)
            )
            heads[head] = PairedHead(places, label_ids(head, [str(rows[at].label(head)) for at in places]), *chosen)
    return heads


def macro_f1(labels: np.ndarray, chosen: np.ndarray) -> float:
    """Over the classes that occur among the labels, as in `models.evaluation`."""
    from sklearn.metrics import f1_score

    return round(float(f1_score(labels, chosen, labels=np.unique(labels), average="macro", zero_division=0)), 4)


def _interval(found: Difference) -> str:
    return f"{points(found.low)} to {points(found.high)}"
