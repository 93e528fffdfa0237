"""Many windows whose shift is known: which detector finds it, which cries wolf, and how good are the estimates."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import numpy as np

from benchmarks.months.features import CLASSES, Rows, joined
from benchmarks.months.loop import sample_of
from benchmarks.months.model import Head, fit
from benchmarks.months.script import DEV, PAST_DAYS, START, TRAIN, Day
from models.drift import Labelled, check
from models.drift_samples import Floats, Sample, class_shares
from models.label_free_accuracy import estimate
from models.label_shift import estimate as label_shift
from models.label_shift import joint_of_labels
from models.reliability import answers

WINDOW_DOCUMENTS: Final = 700
REFERENCE_DOCUMENTS: Final = 2000
STATIONARY: Final = 3  # windows without a shift, for each seed
SHARES: Final = (0.1, 0.25, 0.5, 0.85)
POSITIVE_SHARE: Final = 0.6  # of the window in which only the classes' shares change; 0.31 is usual
HARMFUL_DROP: Final = 0.03  # of accuracy; a smaller one is no harm


@dataclass(frozen=True)
class Window:
    """A window and what is true of it."""

    name: str
    is_shifted: bool
    rows: Rows


@dataclass(frozen=True)
class Verdicts:
    """What was found of one window.

    Attributes:
        effects: by measure, effect and threshold.
        true_drop: of accuracy since the reference.
        estimated: accuracy now, by method; `truth` is the true one, `unchanged` that of dev.
        share_errors: total variation from the true shares of classes: of those predicted, those estimated, and those
            of before.
    """

    name: str
    is_shifted: bool
    effects: dict[str, tuple[float, float]]
    true_drop: float
    estimated: dict[str, float]
    share_errors: dict[str, float]


def judged(pools: dict[str, Rows], seed: int) -> Iterator[Verdicts]:
    """All windows of one seed, against one reference and by one model."""
    rng = np.random.default_rng([seed, 31])
    order = rng.permutation(len(pools["weibo"]))
    train, dev, past, rest = np.split(order, np.cumsum([TRAIN, DEV, REFERENCE_DOCUMENTS]))
    old = pools["weibo"]
    head = fit(old.take(train), old.take(dev), None)
    # Half of dev has chosen the temperature; accuracy is calibrated on it all the same, as a run's dev labels are.
    known = Labelled(head.scores(old.take(dev)), old.take(dev).labels)
    reference = _sample(old.take(past), head, PAST_DAYS, 0, rng)
    drawn: dict[Any, Floats] = {}
    before = _accuracy(head, old.take(past))
    for window in _windows(pools, rest, rng):
        current = _sample(window.rows, head, 7, PAST_DAYS, rng)
        figures = check(reference, current, labelled={"sentiment": known}, seed=seed, drawn=drawn)
        now = _accuracy(head, window.rows)
        yield Verdicts(
            window.name,
            window.is_shifted,
            {one.measure: (one.effect, one.threshold) for one in figures if one.slice_kind == "all"},
            before - now,
            {"truth": now, "unchanged": float(answers(known.scores, known.labels).is_right.mean())}
            | _estimates(reference, current, known, rng),
            _share_errors(current, known, window.rows),
        )


def _windows(pools: dict[str, Rows], rest: np.ndarray, rng: np.random.Generator) -> Iterator[Window]:
    old, size = pools["weibo"], WINDOW_DOCUMENTS
    for nth in range(STATIONARY):
        yield Window("stationary", False, old.take(rest[nth * size : (nth + 1) * size]))
    rest = rest[: STATIONARY * size]
    for domain in ("stocks", "virus"):
        for share in SHARES:
            new = round(share * size)
            parts = [
                old.take(rng.choice(rest, size - new, replace=False)),
                pools[domain].take(rng.choice(len(pools[domain]), new, replace=False)),
            ]
            yield Window(f"{domain} {share:.0%}", True, joined(parts))
    is_positive = old.labels[rest] == CLASSES.index("positive")
    wanted = round(POSITIVE_SHARE * size)
    places = [
        rng.choice(rest[is_positive], wanted, replace=False),
        rng.choice(rest[~is_positive], size - wanted, replace=False),
    ]
    yield Window("only shares of classes", True, old.take(np.concatenate(places)))


def _sample(rows: Rows, head: Head, days: int, first: int, rng: np.random.Generator) -> Sample:
    rows = rows.take(rng.permutation(len(rows)))
    times = [START + timedelta(days=first + days * nth / len(rows)) for nth in range(len(rows))]
    return sample_of([Day(rows, times)], head, len(rows), rng)


def _accuracy(head: Head, rows: Rows) -> float:
    return float((head.scores(rows).argmax(axis=1) == rows.labels).mean())


def _estimates(reference: Sample, current: Sample, known: Labelled, rng: np.random.Generator) -> dict[str, float]:
    best = [sample.scores["sentiment"].max(axis=1) for sample in (reference, current)]
    right = answers(known.scores, known.labels)
    return {how: estimate(best[0], best[1], right, rng, how).value for how in ("atc", "doc", "mean_score")}


def _share_errors(current: Sample, known: Labelled, rows: Rows) -> dict[str, float]:
    truth = np.bincount(rows.labels, minlength=len(CLASSES)) / len(rows)
    joint = joint_of_labels(known.scores, known.labels)
    found = label_shift(joint, current.scores["sentiment"])
    shares = {
        "as predicted": class_shares(current.scores["sentiment"]),
        "unchanged": joint.sum(axis=0) / joint.sum(),
        **({} if found is None else {"estimated": found.now}),
    }
    return {name: float(np.abs(one - truth).sum() / 2) for name, one in shares.items()}
