"""A new model must not look like a surge: what one clock knows of the models behind its counts. Pure.

Each series goes on with the baseline that it learned from the first model, its reference. What a window is expected
to hold is multiplied by a factor: how many negatives the models that judged the window find where the reference finds
one. Minutes in which workers ran different models count with the share of each, so a slow roll-out is nothing
special, and a model that comes back is known already.

The factor of a new model comes from texts that both models judged (the overlap). Where there are none it is estimated
from the counts: the median, over groups of documents, of the share after the switch against the share before it. A
surge is in few groups, a model in all. Where that is impossible the threshold rises for a day.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any, Final, Literal

import msgspec

SETTLING: Final = timedelta(hours=24)  # so long after a switch the estimate follows the counts
USUAL: Final = timedelta(days=2)  # before a switch, for the shares that it is measured against
UNSURE_EXTRA: Final = 1.0  # on the threshold while a factor is not known ...
KNOWN_EXTRA: Final = 0.5  # ... and for a day after the switch where it is: it holds on average, not for each series
FEWEST_GROUPS: Final = 8  # fewer say nothing of a median
FEWEST_KNOWN: Final = 20  # negatives before the switch, for a group to have a usual share
FEWEST_EXPECTED: Final = 2.0  # negatives of a group since the switch
FEWEST_IN_ALL: Final = 40.0  # the same over all groups
MOST_WEIGHT: Final = 50.0  # of a group: a single big one is not a median
OVERLAP_NEGATIVES: Final = 30  # texts that the old model called negative; fewer are no overlap
OVERLAP_INERTIA: Final = 30.0  # a label's own ratio counts half from so many negatives on
FACTOR_RANGE: Final = (0.25, 4.0)
NOTICEABLE: Final = 0.02  # a model with less of a window's documents asks for no caution

Basis = Literal["reference", "overlap", "estimate", "unknown"]
Group = str
GroupCounts = Mapping[Group, tuple[int, int]]  # negatives, documents
UsualOf = Callable[[str, datetime], GroupCounts]
Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Overlap:
    """Texts that two models judged.

    Attributes:
        by_label: (label, value) -> (negatives by the old model, negatives by the new one); ("", "") is all of them.
    """

    by_label: Mapping[tuple[str, str], tuple[int, int]]

    @property
    def is_enough(self) -> bool:
        return self._negatives(("", ""))[0] >= OVERLAP_NEGATIVES

    @property
    def is_same(self) -> bool:
        """Whether both found the same negatives everywhere: other weights in name, or by a hair."""
        return self.is_enough and all(old == new for old, new in self.by_label.values())

    def ratio(self, labels: Labels) -> float:
        """Negatives of the new model for one of the old, for documents with these labels."""
        old, new = self._negatives(("", ""))
        overall = (new + 0.5) / (old + 0.5)
        ratio = overall
        for pair in sorted(labels.items()):
            if pair in self.by_label:
                old, new = self.by_label[pair]
                ratio *= (new + OVERLAP_INERTIA * overall) / (old + OVERLAP_INERTIA) / overall
        return clamped(ratio)

    def _negatives(self, label: tuple[str, str]) -> tuple[int, int]:
        return self.by_label.get(label, (0, 0))


class Model(msgspec.Struct):
    """What a clock knows of one model.

    Attributes:
        before: the model that most documents were judged by when this one came; None: this is the reference.
        ratio: estimated; negatives of this one for one of `before`.
        usual: of `before`, by group, until the estimate is settled.
        seen: of this one since then.
    """

    since: datetime
    before: str | None = None
    ratio: float | None = None
    usual: dict[Group, tuple[int, int]] = {}
    seen: dict[Group, tuple[int, int]] = {}


class _State(msgspec.Struct):
    """`recent`: documents by model, of the last buckets of the longest window."""

    models: dict[str, Model] = {}
    recent: list[dict[str, int]] = []


@dataclass(frozen=True, slots=True)
class Switch:
    """A change of model as charts and people see it."""

    at: datetime
    old: str
    new: str
    ratio: float | None
    basis: Basis


@dataclass
class ModelSwitches:
    """The models of one clock, carried through its buckets in order; `to_dict` is all it knows.

    Attributes:
        windows: lengths in buckets, the shortest first.
        overlaps: by (old, new) model.
    """

    windows: Sequence[int]
    overlaps: Mapping[tuple[str, str], Overlap] = field(default_factory=dict)
    state: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        self._state = _State() if self.state is None else msgspec.convert(self.state, _State)
        self._parts = self._mixtures()
        self._at: datetime | None = None

    def advance(
        self, at: datetime, totals: Mapping[str, int], groups: Mapping[str, GroupCounts], usual_of: UsualOf
    ) -> bool:
        """One more bucket; returns whether what series have to expect has changed.

        Args:
            totals: documents by model.
            groups: the same by group, for models that are not settled (`needs_groups`).
            usual_of: asked once for a model that is new: the counts of the one before it, before the switch.
        """
        before = (self._parts, self._ratios(), self.extra())
        self._at = at
        for version in sorted(totals, key=lambda v: (-totals[v], v)):
            if version not in self._state.models:
                self._state.models[version] = self._met(version, at, usual_of)
        for version, of_groups in groups.items():
            model = self._state.models.get(version)
            if model is not None and model.before is not None and at < model.since + SETTLING:
                for group, (negative, total) in of_groups.items():
                    x, n = model.seen.get(group, (0, 0))
                    model.seen[group] = (x + negative, n + total)
                model.ratio = estimate(model.usual, model.seen) or model.ratio
        for model in self._state.models.values():
            if at >= model.since + SETTLING:
                model.usual, model.seen = {}, {}
        if totals or self._state.recent:
            self._state.recent.append(dict(totals))
            del self._state.recent[: -self.windows[-1]]
            self._parts = self._mixtures()
        return (self._parts, self._ratios(), self.extra()) != before

    def needs_groups(self, versions: Mapping[str, datetime]) -> list[str]:
        """Which of these models (with when they are first seen in what is to come) are not settled yet."""
        known = self._state.models
        return [
            version
            for version, first in versions.items()
            if version not in known or (known[version].before is not None and first < known[version].since + SETTLING)
        ]

    def factors(self, labels: Labels) -> list[float]:
        """Per window, for a series with these labels."""
        of = {version: self._factor(version, labels) for version in self._state.models}
        return [sum(part * of[version] for version, part in parts.items()) for parts in self._parts]

    def extra(self) -> float:
        """What the threshold of every series is raised by."""
        found = 0.0
        for version, model in self._state.models.items():
            is_settling = self._at is not None and self._at < model.since + SETTLING
            is_seen = any(parts.get(version, 0.0) >= NOTICEABLE for parts in self._parts)
            overlap = self._overlap(version)
            is_change = model.before is not None and not (overlap and overlap.is_same)
            if is_change and is_settling and is_seen:
                found = max(found, UNSURE_EXTRA if self._basis(version) == "unknown" else KNOWN_EXTRA)
        return found

    def switches(self) -> Iterator[Switch]:
        """Every change of model, oldest first, as it is known now."""
        for version, model in sorted(self._state.models.items(), key=lambda one: (one[1].since, one[0])):
            if model.before is not None:
                yield Switch(model.since, model.before, version, self._ratio(version, {}), self._basis(version))

    def to_dict(self) -> dict[str, Any]:
        """Everything known, as JSON values."""
        state: dict[str, Any] = msgspec.to_builtins(self._state)
        return state

    def _met(self, version: str, at: datetime, usual_of: UsualOf) -> Model:
        before = self._usual_model()
        return Model(at) if before is None else Model(at, before, usual=dict(usual_of(before, at)))

    def _usual_model(self) -> str | None:
        """The model behind most of the recent documents."""
        if not self._parts:
            return next(iter(self._state.models), None)
        longest = self._parts[-1]
        return min(longest, key=lambda v: (-longest[v], v)) if longest else None

    def _factor(self, version: str, labels: Labels) -> float:
        """Against the reference, through the models between."""
        factor, seen = 1.0, set()
        while (before := self._state.models[version].before) is not None and version not in seen:
            seen.add(version)
            factor *= self._ratio(version, labels) or 1.0
            version = before
        return factor

    def _ratio(self, version: str, labels: Labels) -> float | None:
        model = self._state.models[version]
        overlap = self._overlap(version)
        return overlap.ratio(labels) if overlap else model.ratio

    def _ratios(self) -> list[float | None]:
        return [self._ratio(version, {}) for version in self._state.models]

    def _basis(self, version: str) -> Basis:
        if self._state.models[version].before is None:
            return "reference"
        if self._overlap(version):
            return "overlap"
        return "unknown" if self._state.models[version].ratio is None else "estimate"

    def _overlap(self, version: str) -> Overlap | None:
        before = self._state.models[version].before
        found = self.overlaps.get((before, version)) if before is not None else None
        return found if found is not None and found.is_enough else None

    def _mixtures(self) -> list[dict[str, float]]:
        """Per window, the part of each model in its documents; an empty window is taken as the one around it."""
        parts: list[dict[str, float]] = []
        for window in self.windows:
            sums: dict[str, int] = {}
            for totals in self._state.recent[-window:]:
                for version, total in totals.items():
                    sums[version] = sums.get(version, 0) + total
            whole = sum(sums.values())
            parts.append({version: n / whole for version, n in sorted(sums.items())} if whole else {})
        known = next((part for part in parts if part), None) or dict.fromkeys(list(self._state.models)[-1:], 1.0)
        return [part or known for part in parts]


def estimate(usual: GroupCounts, seen: GroupCounts) -> float | None:
    """The ratio of shares that half of the groups lie below, by weight; None where there is too little to say."""
    ratios = []
    for group, (negative, total) in seen.items():
        known, documents = usual.get(group, (0, 0))
        expected = total * known / documents if documents else 0.0
        if known >= FEWEST_KNOWN and expected >= FEWEST_EXPECTED:
            ratios.append(((negative + 1 / 3) / expected, min(expected, MOST_WEIGHT)))  # Poisson's median: mean - 1/3
    whole = sum(weight for _, weight in ratios)
    if len(ratios) < FEWEST_GROUPS or whole < FEWEST_IN_ALL:
        return None
    ordered = sorted(ratios)
    reached = list(accumulate(weight for _, weight in ordered))
    return clamped(ordered[bisect_left(reached, whole / 2)][0])


def clamped(ratio: float) -> float:
    """Within what a change of model can explain."""
    low, high = FACTOR_RANGE
    return min(max(ratio, low), high)
