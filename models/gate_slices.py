"""Whether a part of the texts got worse, whatever the rest gained: languages, sources, classes, watchlists.

The measure is the share of right answers, because macro-F1 of thirty rows of one class says nothing. A slice is
refused if it lost more than the margin and so many losses are no chance among equals, by an exact one-sided test of
the changed answers (McNemar 1947 in the binomial form). There are many slices, so all tests together are held to one
error rate by Holm's rule: a slice of twelve rows refuses when it is destroyed, and not by noise.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Final, Literal

import numpy as np
from scipy.stats import t as student

from core.records import Opinion
from core.taxonomy import HEADS, Head
from models.datasets import LabelledText
from models.evaluation import UNNAMED, label_ids, score_matrix
from models.gate_checks import Check, readable
from models.gate_options import ERROR_RATE, GateOptions
from models.paired import Floats, adjusted_interval, chance_of_losses, holm

SliceKind = Literal["language", "source", "class", "watchlist"]
Part = Literal["held-out labels", "replay texts"]
NAMED: Final = 6  # so many refused slices get a sentence of their own
LEAST_SPREAD: Final = 0.001  # of scores; alike to the last digit is no certainty, they are rounded to four
Key = tuple[SliceKind, str, Head]


@dataclass(frozen=True)
class SliceChange:
    """One head on one part of the texts.

    Attributes:
        part: the texts it is a part of.
        rows: with an answer.
        champion, candidate: share of right answers; for texts that only the champion answered, what it believes.
        gained, lost: rows that only the candidate, or only the champion, has right.
        low, high: interval of the difference, for this slice alone.
        chance: of so many losses if the candidate is as good here.
    """

    part: Part
    kind: SliceKind
    name: str
    head: Head
    rows: int
    champion: float
    candidate: float
    gained: int
    lost: int
    low: float
    high: float
    chance: float
    is_judged: bool

    @property
    def change(self) -> float:
        return self.candidate - self.champion


def compare_slices(
    part: Part,
    rows: Sequence[LabelledText],
    before: Sequence[Opinion],
    after: Sequence[Opinion],
    options: GateOptions,
    *,
    by_belief: bool = False,
) -> list[SliceChange]:
    """Every slice that the rows have; the opinions are in the order of the rows.

    Args:
        by_belief: the rows' answers are the champion's own. It would be right on all of them and could only lose, so
            each answer counts what the champion believed in it, see `models.comparison.by_belief`.
    """
    found = []
    for head in HEADS:
        places = [place for place, row in enumerate(rows) if row.label(head) is not None]
        if not places:
            continue
        answered = [rows[place] for place in places]
        old, new = (score_matrix(head, [opinions[place] for place in places]) for opinions in (before, after))
        labels = label_ids(head, [str(row.label(head)) for row in answered])
        every = np.arange(len(places))
        if by_belief:
            worth = old.max(axis=1), old[every, new.argmax(axis=1)]
        else:
            worth = (old.argmax(axis=1) == labels) * 1.0, (new.argmax(axis=1) == labels) * 1.0
        found += [
            _change(part, key, worth[0][members], worth[1][members], options, is_counted=not by_belief)
            for key, members in _members(head, answered).items()
        ]
    return found


def where_nobody_answered(by_belief: Sequence[SliceChange], answered: Sequence[SliceChange]) -> list[SliceChange]:
    """The same slices; those that people's answers judge are not judged by the champion's belief as well.

    Where the texts have changed, the champion is surely wrong about some, and to disagree with it is no loss.
    """
    known = {(one.kind, one.name, one.head) for one in answered if one.is_judged}
    return [
        replace(one, is_judged=one.is_judged and (one.kind, one.name, one.head) not in known) for one in by_belief
    ]


def check_slices(changes: Sequence[SliceChange], options: GateOptions) -> list[Check]:
    """One sentence for each slice that fell, or that none did."""
    judged = [change for change in changes if change.is_judged]
    falls = fallen(changes, options)
    checks = [
        Check(
            "slices",
            False,
            f"{change.part}, {_name(change)}: {100 * change.candidate:.1f} % right, champion "
            f"{100 * change.champion:.1f} %, of {change.rows}; {change.lost} lost, {change.gained} gained (by "
            f"chance: {change.chance:.2g}), may lose {100 * options.slice_margin:g} points",
        )
        for change in falls[:NAMED]
    ]
    if len(falls) > NAMED:
        others = ", ".join(_name(change) for change in falls[NAMED : 3 * NAMED])
        checks.append(Check("slices", False, f"{len(falls) - NAMED} more slices fell: {others}"))
    if judged and not falls:
        worst = min(judged, key=lambda change: change.change)
        checks.append(
            Check(
                "slices",
                True,
                f"{len(judged)} slices, none worse by more than {100 * options.slice_margin:g} points beyond chance; "
                f"worst: {_name(worst)}, {100 * worst.change:+.1f} points of {worst.rows} rows "
                f"(by chance: {worst.chance:.2g})",
            )
        )
    if not judged:
        checks.append(Check("slices", None, f"no slice was judged: none has {options.slice_rows} rows"))
    return checks


def fallen(changes: Sequence[SliceChange], options: GateOptions) -> list[SliceChange]:
    """The slices that speak against the candidate: languages first, the deepest fall first."""
    judged = [change for change in changes if change.is_judged]
    rejected = holm([change.chance for change in judged], ERROR_RATE)
    falls = [
        change
        for change, is_rejected in zip(judged, rejected, strict=True)
        if is_rejected and -change.change > options.slice_margin
    ]
    order: tuple[SliceKind, ...] = ("language", "source", "watchlist", "class")
    return sorted(falls, key=lambda change: (order.index(change.kind), change.change))


def _members(head: Head, rows: Sequence[LabelledText]) -> dict[Key, list[int]]:
    members: defaultdict[Key, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        members["language", row.lang or UNNAMED, head].append(place)
        members["source", row.source, head].append(place)
        members["class", str(row.label(head)), head].append(place)
        for watchlist in row.watchlists:
            members["watchlist", watchlist, head].append(place)
    return dict(sorted(members.items()))


def _change(
    part: Part, key: Key, before: Floats, after: Floats, options: GateOptions, *, is_counted: bool
) -> SliceChange:
    change = after - before
    gained, lost = int((change > 0).sum()), int((change < 0).sum())
    z = NormalDist().inv_cdf((1 + options.confidence) / 2)
    if is_counted:
        low, high = adjusted_interval(gained, lost, len(change), z)
        chance = chance_of_losses(gained, lost)
    else:
        half = z * change.std() / np.sqrt(len(change))
        low, high = round(float(change.mean() - half), 4), round(float(change.mean() + half), 4)
        chance = _chance_of_a_fall(change, options.slice_margin)
    return SliceChange(
        part,
        *key,
        rows=len(change),
        champion=round(float(before.mean()), 4),
        candidate=round(float(after.mean()), 4),
        gained=gained,
        lost=lost,
        low=low,
        high=high,
        chance=chance,
        is_judged=len(change) >= options.slice_rows,
    )


def _chance_of_a_fall(change: Floats, margin: float) -> float:
    """Of losses that have no gains beside them: whether their mean is beyond the margin, by a one-sided t-test."""
    if len(change) < 2:
        return 1.0
    error = max(change.std(ddof=1), LEAST_SPREAD) / np.sqrt(len(change))
    return float(student.cdf((change.mean() + margin) / error, len(change) - 1))


def _name(change: SliceChange) -> str:
    return f"{change.kind} {readable(change.name)} ({change.head})"
