"""One check for drift: two windows in, one figure for each slice and measure out. Pure."""

import zlib
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from core.taxonomy import HEADS, Head
from models.drift_figures import MEASURES, Figure, Measure, SliceKind
from models.drift_measures import HOW
from models.drift_samples import Floats, Sample, class_shares, classes_of
from models.drift_thresholds import drawn_effects, threshold
from models.label_free_accuracy import FEWEST_LABELLED, Estimate, estimate
from models.label_shift import LabelShift, joint_of_labels, joint_of_scores
from models.label_shift import estimate as label_shift
from models.reliability import answers

FEWEST_OF_SLICE: Final = 150  # documents in both windows
MOST_SLICES: Final = 8  # the largest; each costs a second or two
SIZE_STEP: Final = 50  # windows whose sizes differ by less share their thresholds
ONLY_OF_ALL: Final[frozenset[Measure]] = frozenset({"text", "language_mix"})  # the first is slow
Drawn = MutableMapping[tuple[str, str, Measure, int], Floats]


@dataclass(frozen=True)
class Labelled:
    """Texts with known answers that the model was not trained on: `scores` (texts, classes), `labels` (texts,)."""

    scores: Floats
    labels: Any


def check(
    reference: Sample,
    current: Sample,
    *,
    labelled: Mapping[Head, Labelled] | None = None,
    seed: int = 0,
    drawn: Drawn | None = None,
) -> list[Figure]:
    """Hold the current window against the reference. The same for the same samples and seed.

    Args:
        labelled: for estimates of accuracy and shares; without it the model's own scores have to do.
        drawn: effects without drift by slice, measure and size; kept by callers who check one reference often.
    """
    cache: Drawn = {} if drawn is None else drawn
    pairs = [
        (kind, value, measure, old, new)
        for kind, value, old, new in slices(reference, current)
        for measure in MEASURES
        if _applies(measure, kind)
    ]
    found = []
    for kind, value, measure, old, new in pairs:
        effect = HOW[measure].effect(old, new)
        if effect is None:
            continue
        key = (kind, value, measure, len(new) // SIZE_STEP)
        if key not in cache:
            rng = np.random.default_rng([seed, zlib.crc32(f"{kind} {value} {measure}".encode())])
            cache[key] = drawn_effects(old, max(SIZE_STEP, key[3] * SIZE_STEP), measure, rng)
        limit = max(threshold(cache[key], len(pairs)), HOW[measure].least)
        detail = _detail(measure, old, new, labelled or {}, seed)
        found.append(Figure(kind, value, measure, effect, limit, len(old), len(new), detail))
    return found


def slices(reference: Sample, current: Sample) -> Iterator[tuple[SliceKind, str, Sample, Sample]]:
    """All, then the largest languages and sources that have enough documents in both windows.

    A language or source that holds everything would say what all says, and is left out.
    """
    yield "all", "", reference, current
    found: list[tuple[int, SliceKind, str, Any, Any]] = []
    kinds: tuple[tuple[SliceKind, Any, Any], ...] = (
        ("lang", reference.langs, current.langs),
        ("source", reference.sources, current.sources),
    )
    for kind, old, new in kinds:
        for value in sorted(set(old.tolist()) & set(new.tolist())):
            masks = old == value, new == value
            sizes = [int(mask.sum()) for mask in masks]
            if min(sizes) >= FEWEST_OF_SLICE and not all(mask.all() for mask in masks):
                found.append((-min(sizes), kind, value, *masks))
    for _, kind, value, was, now in sorted(found, key=lambda one: one[:3])[:MOST_SLICES]:
        yield kind, value, reference.take(was), current.take(now)


def _applies(measure: Measure, kind: SliceKind) -> bool:
    if kind == "source" and measure == "source_mix":
        return False
    return kind == "all" or measure not in ONLY_OF_ALL


def _detail(
    measure: Measure, old: Sample, new: Sample, labelled: Mapping[Head, Labelled], seed: int
) -> dict[str, Any]:
    head = next((head for head in HEADS if measure.startswith(head)), None)
    if head is None:
        return {}
    known = labelled.get(head)
    if measure.endswith("_share"):
        return _shares(head, old, new, known)
    if measure.endswith("_accuracy"):
        best = [sample.scores[head].max(axis=1) for sample in (old, new)]
        right = None if known is None else answers(known.scores, known.labels)
        rng = np.random.default_rng(seed)
        return _accuracy(estimate(best[0], best[1], right, rng))
    return {}


def _shares(head: Head, old: Sample, new: Sample, known: Labelled | None) -> dict[str, Any]:
    """What the model says, and what that means by Black Box Shift Estimation."""
    has_labels = known is not None and len(known.labels) >= FEWEST_LABELLED
    joint = (
        joint_of_labels(known.scores, known.labels)
        if known is not None and has_labels
        else joint_of_scores(old.scores[head])
    )
    shift: LabelShift | None = label_shift(joint, new.scores[head])
    names = classes_of(head)
    said = {"said_before": class_shares(old.scores[head]), "said_now": class_shares(new.scores[head])}
    found: dict[str, Any] = {
        name: {label: round(float(share), 4) for label, share in zip(names, shares, strict=True)}
        for name, shares in said.items()
    }
    if shift is not None:
        found["estimated_now"] = {
            label: round(float(share), 4)
            for label, share in zip(names, shift.now, strict=True)
            if not np.isnan(share)
        }
        found["estimated_shift"] = round(shift.distance, 4)
        found["estimated_by"] = "labels" if has_labels else "scores"
    return found


def _accuracy(found: Estimate) -> dict[str, Any]:
    return {
        "method": found.method,
        "estimate": round(found.value, 4),
        "low": round(found.low, 4),
        "high": round(found.high, 4),
        "before": round(found.before, 4),
        "drop_low": round(found.drop_low, 4),
        "drop_high": round(found.drop_high, 4),
    }
