"""The loop over one month: documents come, people label a few, checks are made, and runs are started and judged.

Checks, thresholds and the decision to train are the product's own (`models.drift`, `models.drift_trigger`), and so is
the rule of the gate, that a candidate may not lose; only the model is another one, see `benchmarks.months.model`.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

import numpy as np

from benchmarks.months.features import Rows, joined
from benchmarks.months.model import Head, fit, macro_f1
from benchmarks.months.script import DAY_DOCUMENTS, DEV, PAST_DAYS, START, Day, Stream
from models.drift import check
from models.drift_figures import Figure
from models.drift_samples import Sample, build
from models.drift_trigger import PastCheck, TriggerOptions, confirmed, retrain_reason
from opinion.drift_windows import FEWEST_OF_CURRENT

Trigger = Literal["never", "schedule", "labels", "drift"]
LABELS_PER_DAY: Final = 30
RANDOM_PER_DAY: Final = 15  # of them; the others are of the least sure documents of the day
GOLD_PER_DAY: Final = 5  # of the random ones: for the gate alone
GOLD_DAYS: Final = 14  # the gate judges by the gold answers of so many days
WINDOW_DAYS: Final = 7
CHECK_DAYS: Final = 2  # days between two checks: a day of this stream has few documents
SCHEDULE_DAYS: Final = 7
MIN_NEW_LABELS: Final = 200
OPTIONS: Final = TriggerOptions()
REFERENCE_DOCUMENTS: Final = 2000
LABEL_WEIGHT: Final = 2.0  # of a new label beside a row of replay
DEV_SHARE: Final = 0.2  # of the labels: they calibrate a candidate, with some of the old dev
DEV_REPLAY: Final = np.arange(100)
REPLAY_HELD_OUT: Final = np.arange(100, DEV)  # of the old dev: the gate sees that nothing old is lost
REPLAY_MARGIN: Final = 0.02


@dataclass
class Run:
    """What a month came to.

    Attributes:
        macro_f1: by day, of the champion of that morning on all documents of the day.
        retrains: days on which a candidate was trained; `promoted` those whose candidate was taken.
        labels: answers used in training by the end.
        checks: by day, the figures over all documents.
    """

    macro_f1: list[float] = field(default_factory=list)
    predictions: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    retrains: list[int] = field(default_factory=list)
    promoted: list[int] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    labels: int = 0
    checks: dict[int, list[Figure]] = field(default_factory=dict)


@dataclass
class _Labels:
    """By day: answers to learn from, and of the gold set."""

    rows: list[Rows] = field(default_factory=list)
    gold: list[Rows] = field(default_factory=list)

    def since(self, day: int) -> int:
        return sum(len(rows) for rows in self.rows[day:])


def live(stream: Stream, trigger: Trigger, seed: int, *, first: Head) -> Run:
    """One month with one way to start runs; `first` is the old model."""
    rng = np.random.default_rng([seed, 23])
    run, labels, head = Run(), _Labels(), first
    history: list[Day] = list(stream.past)
    past_checks: list[PastCheck] = []
    learned_until = 0  # labels of earlier days were learned from
    last_run: datetime | None = None
    took_over, drawn = 0, {}
    for day, arrived in enumerate(stream.days):
        scores = head.scores(arrived.rows)
        run.macro_f1.append(macro_f1(head, arrived.rows))
        run.predictions.append((arrived.rows.labels, scores.argmax(axis=1)))
        history.append(arrived)
        now = START + timedelta(days=day + 1)
        if trigger == "never":
            continue
        learnable, gold = _labelled(arrived.rows, scores, rng)
        labels.rows.append(learnable)
        labels.gold.append(gold)
        if (
            trigger == "drift"
            and day % CHECK_DAYS == 1
            and (day + 1 - took_over) * DAY_DOCUMENTS >= FEWEST_OF_CURRENT
        ):
            reference = sample_of(history[took_over : PAST_DAYS + took_over], head, REFERENCE_DOCUMENTS, rng)
            current = sample_of(history[max(len(history) - WINDOW_DAYS, PAST_DAYS + took_over) :], head, 1000, rng)
            figures = [one for one in check(reference, current, drawn=drawn) if one.slice_kind == "all"]
            run.checks[day] = figures
            drifted = frozenset(one.measure for one in figures if one.is_drifted)
            past_checks.insert(0, PastCheck(now, now - timedelta(days=WINDOW_DAYS), drifted))
        reason = _reason(trigger, day, now, labels, learned_until, last_run, past_checks)
        if reason is None:
            continue
        run.retrains.append(day)
        run.reasons.append(reason)
        last_run = now
        candidate, run.labels = _candidate(stream, labels, rng)
        learned_until = day + 1
        newest, replay = joined(labels.gold[-GOLD_DAYS:]), stream.dev.take(REPLAY_HELD_OUT)
        if macro_f1(candidate, newest) > macro_f1(head, newest) and (
            macro_f1(candidate, replay) >= macro_f1(head, replay) - REPLAY_MARGIN
        ):
            run.promoted.append(day)
            head, took_over, drawn, past_checks = candidate, day + 1, {}, []
    return run


def _reason(
    trigger: Trigger,
    day: int,
    now: datetime,
    labels: _Labels,
    learned_until: int,
    last_run: datetime | None,
    checks: list[PastCheck],
) -> str | None:
    if trigger == "schedule":
        return "schedule" if (day + 1) % SCHEDULE_DAYS == 0 else None
    if trigger == "labels":
        new = labels.since(learned_until)
        return f"{new} labels" if new >= MIN_NEW_LABELS else None
    drift = confirmed(checks, now)
    since = 0 if drift is None else max(learned_until, (drift.since - START).days)
    return retrain_reason(drift, labels.since(since), last_run, now, OPTIONS)


def _labelled(rows: Rows, scores: np.ndarray, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """The day's answers to learn from, and those for the gold set, which are drawn at random."""
    doubtful = np.argsort(scores.max(axis=1), kind="stable")[: LABELS_PER_DAY - RANDOM_PER_DAY]
    drawn = rng.choice(np.setdiff1d(np.arange(len(rows)), doubtful), RANDOM_PER_DAY, replace=False)
    return rows.take(np.concatenate([doubtful, drawn[GOLD_PER_DAY:]])), rows.take(drawn[:GOLD_PER_DAY])


def _candidate(stream: Stream, labels: _Labels, rng: np.random.Generator) -> tuple[Head, int]:
    """A head on all labels but the gold set, and on replay; and how many labels it saw."""
    learned = joined(labels.rows)
    mixed = rng.permutation(len(learned))
    cut = round(DEV_SHARE * len(learned))
    dev, train = learned.take(mixed[:cut]), learned.take(mixed[cut:])
    weights = np.concatenate([np.full(len(train), LABEL_WEIGHT), np.ones(len(stream.train))])
    return fit(joined([train, stream.train]), joined([dev, stream.dev.take(DEV_REPLAY)]), weights), len(learned)


def sample_of(days: list[Day], head: Head, most: int, rng: np.random.Generator) -> Sample:
    rows = joined([day.rows for day in days])
    times = [at for day in days for at in day.times]
    places = np.sort(rng.permutation(len(rows))[:most])
    taken = rows.take(places)
    scores = head.scores(taken)
    return build(
        taken.texts,
        [times[place] for place in places],
        ["feed"] * len(taken),  # the source must not give the domain away
        ["zh"] * len(taken),
        {"sentiment": scores},
        taken.vectors,
    )
