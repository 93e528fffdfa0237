"""What a candidate would change, as data: agreement, curves of negatives, and incidents."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from alerts.detection.detectors import DetectorOptions
from alerts.detection.model_switches import Overlap
from alerts.rulebook.contrasting import ChangedIncident, Span, contrast
from alerts.rulebook.merging import rulebook
from core.windows import floor_to
from opinion.model_overlap import overlap_rows
from storage import bucket_counts
from storage.judged_texts import JudgedText
from storage.model_switches import OverlapRow
from storage.shadow_disagreements import kinds_of
from storage.shadow_runs import ShadowRun
from storage.shadow_verdicts import Pair

MOST_VALUES: Final = 30  # of a label, the most frequent
MOST_LINES: Final = 5  # of a label, curves
MOST_POINTS: Final = 48
STEPS: Final = tuple(timedelta(minutes=n) for n in (5, 15, 30, 60, 180, 360, 720, 1440, 10080))
SHORTEST_SPAN: Final = timedelta(hours=1)  # over less, incidents are not compared
COMPLETE: Final = 0.95  # with less of the span's documents judged by both, the report says so


class HeadAgreement(msgspec.Struct, frozen=True):
    """Both on one head.

    Attributes:
        kappa: Cohen's; None where both say one and the same of everything.
        changes: (by the champion, by the candidate, documents) of every disagreement, the most frequent first.
    """

    agreement: float
    kappa: float | None
    changes: list[tuple[str, str, int]]


class Slice(msgspec.Struct, frozen=True):
    """Negatives among the documents of one topic (by the champion), source, language, or toward one watchlist."""

    label: str
    value: str
    documents: int
    negative_old: int
    negative_new: int


class Line(msgspec.Struct, frozen=True):
    """A curve: (start of the step, documents, negatives by the champion, negatives by the candidate) in order."""

    label: str
    value: str
    points: list[tuple[datetime, int, int, int]]


class Incidents(msgspec.Struct, frozen=True):
    """Incidents of [start, end), in which every document was judged by both.

    Attributes:
        coverage: the share of the documents counted in the span that both have judged.
        changed: those that are not the same.
    """

    start: datetime
    end: datetime
    coverage: float
    series: int
    gained: int
    lost: int
    earlier: int
    later: int
    same: int
    changed: list[ChangedIncident]


class Comparison(msgspec.Struct, frozen=True):
    """All that a person needs to decide, but the texts.

    Attributes:
        became_negative, no_longer_negative: texts, copies counted once.
        slower: the candidate's time for the champion's one; None: not measured.
        incidents: None where they were not compared; `notes` say why.
    """

    documents: int
    live_documents: int
    failures: int
    topic: HeadAgreement
    sentiment: HeadAgreement
    negative_old: int
    negative_new: int
    became_negative: int
    no_longer_negative: int
    slices: list[Slice]
    step_seconds: float
    lines: list[Line]
    slower: float | None = None
    incidents: Incidents | None = None
    notes: list[str] = []

    @property
    def negative_change(self) -> float:
        """By how much there are more negatives (or fewer, below 0), as a share of the champion's."""
        return (self.negative_new - self.negative_old) / max(1, self.negative_old)


def compare(run: ShadowRun, pairs: Sequence[Pair], *, slower: float | None = None) -> Comparison:
    """Everything but the incidents, which take long."""
    step, lines = _curves(pairs)
    became, ceased = (
        len({pair.cluster for pair in pairs if kind in kinds_of(pair)})
        for kind in ("became negative", "no longer negative")
    )
    return Comparison(
        documents=len(pairs),
        live_documents=sum(run.live_from is not None and pair.published_at >= run.live_from for pair in pairs),
        failures=run.failures,
        topic=_agreement([(pair.topic_old, pair.topic_new) for pair in pairs]),
        sentiment=_agreement([(pair.sentiment_old, pair.sentiment_new) for pair in pairs]),
        negative_old=sum(pair.sentiment_old == "negative" for pair in pairs),
        negative_new=sum(pair.sentiment_new == "negative" for pair in pairs),
        became_negative=became,
        no_longer_negative=ceased,
        slices=_slices(pairs),
        step_seconds=step.total_seconds(),
        lines=lines,
        slower=slower,
    )


def with_incidents(
    connection: Connection, comparison: Comparison, run: ShadowRun, pairs: Sequence[Pair], usual: DetectorOptions
) -> Comparison:
    """The same with the incidents of what was read completely; blocks for up to minutes."""
    if run.window_from is None or run.complete_until is None:
        return _noted(comparison, "incidents were not compared: nothing was read")
    start = floor_to(run.window_from - timedelta(microseconds=1), usual.bucket) + usual.bucket
    end = floor_to(run.complete_until, usual.bucket)
    if end - start < SHORTEST_SPAN:
        minutes = max(end - start, timedelta(0)) // timedelta(minutes=1)
        return _noted(
            comparison,
            f"incidents were not compared: {minutes} minutes were read whole, an hour is needed; "
            "OPINION_SHADOW__WINDOW_DOCUMENTS and OPINION_SHADOW__PER_MINUTE allow more",
        )
    within = [pair for pair in pairs if start <= pair.published_at < end]
    overlap = Overlap({(row.label, row.value): (row.negative_old, row.negative_new) for row in overlap_of(pairs)})
    span = Span(start, end, run.champion, run.candidate, usual, overlap)
    found: list[ChangedIncident] = []
    series = 0
    for rule in rulebook(connection).rules.values():
        if rule.is_enabled:
            changed, replayed = contrast(connection, rule, within, span)
            found += changed
            series += replayed
    counted = sum(one.total for one in bucket_counts.key_totals(connection, (), start, end))
    coverage = len(within) / counted if counted else 1.0
    changes = Counter(one.change for one in found)
    incidents = Incidents(
        start, end, round(min(1.0, coverage), 4), series,
        changes["gained"], changes["lost"], changes["earlier"], changes["later"], changes["same"],
        sorted((one for one in found if one.change != "same"), key=lambda one: (one.change, one.rule, repr(one))),
    )  # fmt: skip
    comparison = msgspec.structs.replace(comparison, incidents=incidents)
    if coverage < COMPLETE:
        return _noted(
            comparison,
            f"of the documents in the compared span only {coverage:.0%} were judged by both: the others came late, "
            "or another model judged them; they count alike on both sides",
        )
    return comparison


def overlap_of(pairs: Sequence[Pair]) -> list[OverlapRow]:
    """What translates baselines when the candidate takes over."""
    sample = [JudgedText("", pair.sentiment_old, pair.topic_old, pair.source, pair.lang) for pair in pairs]
    return overlap_rows(sample, [pair.sentiment_new for pair in pairs])


def figures_of(comparison: Comparison) -> dict[str, Any]:
    """As JSON values."""
    values: dict[str, Any] = msgspec.to_builtins(comparison)
    return values


def comparison_of(run: ShadowRun) -> Comparison | None:
    """What was found so far; None before the first documents."""
    return msgspec.convert(run.figures, Comparison) if run.figures else None


def _noted(comparison: Comparison, note: str) -> Comparison:
    return msgspec.structs.replace(comparison, notes=[*comparison.notes, note])


def _agreement(answers: Sequence[tuple[str, str]]) -> HeadAgreement:
    from sklearn.metrics import cohen_kappa_score  # takes a second to import

    counts = Counter(answers)
    if not answers:
        return HeadAgreement(1.0, None, [])
    changes = [(old, new, n) for (old, new), n in counts.items() if old != new]
    kappa = None
    if len({answer for pair in answers for answer in pair}) > 1:
        kappa = round(float(cohen_kappa_score(*zip(*answers, strict=True))), 4)
    agreement = sum(n for (old, new), n in counts.items() if old == new) / len(answers)
    return HeadAgreement(round(agreement, 4), kappa, sorted(changes, key=lambda one: (-one[2], one)))


def _labelled(pair: Pair) -> Iterator[tuple[str, str, bool, bool]]:
    """Every label of a document, and whether it is negative (toward a watchlist) by each of the two."""
    old, new = pair.sentiment_old == "negative", pair.sentiment_new == "negative"
    for label, value in (("topic", pair.topic_old), ("source", pair.source), ("lang", pair.lang)):
        yield label, value, old, new
    for name, (before, after) in (pair.mentions or {}).items():
        yield "watchlist", name, before == "negative", after == "negative"


def _slices(pairs: Sequence[Pair]) -> list[Slice]:
    sums: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for pair in pairs:
        for label, value, old, new in _labelled(pair):
            for place, more in enumerate((1, old, new)):
                sums[label, value][place] += more
    return [
        Slice(label, value, *sums[label, value])
        for name in ("topic", "source", "watchlist", "lang")
        for label, value in _largest({key: one[0] for key, one in sums.items()}, name, MOST_VALUES)
    ]


def _curves(pairs: Sequence[Pair]) -> tuple[timedelta, list[Line]]:
    if not pairs:
        return STEPS[0], []
    span = pairs[-1].published_at - pairs[0].published_at
    step = next((one for one in STEPS if span <= MOST_POINTS * one), STEPS[-1])
    sums: defaultdict[tuple[str, str], defaultdict[datetime, list[int]]] = defaultdict(
        lambda: defaultdict(lambda: [0, 0, 0])
    )
    for pair in pairs:
        at = floor_to(pair.published_at, step)
        everything = ("", "", pair.sentiment_old == "negative", pair.sentiment_new == "negative")
        for label, value, old, new in (everything, *_labelled(pair)):
            for place, more in enumerate((1, old, new)):
                sums[label, value][at][place] += more
    totals = {key: sum(one[0] for one in points.values()) for key, points in sums.items()}
    drawn = [("", "")]
    for name in ("topic", "source", "watchlist"):
        drawn += _largest(totals, name, MOST_LINES)
    return step, [
        Line(*key, [(at, counts[0], counts[1], counts[2]) for at, counts in sorted(sums[key].items())])
        for key in drawn
    ]


def _largest(totals: Mapping[tuple[str, str], int], name: str, most: int) -> list[tuple[str, str]]:
    return sorted((key for key in totals if key[0] == name), key=lambda key: (-totals[key], key))[:most]
