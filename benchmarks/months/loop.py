"""The loop over one month: documents come, people label a few, checks are made, and runs are started and judged.

Checks, thresholds and the decision to train are the product's own (`models.drift`, `models.drift_trigger`), and so is
the rule of the gate, that a candidate may not lose; only the model is another one, see `benchmarks.months.model`.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

import numpy as np

from benchmarks.months.features import Rows, joined
from benchmarks.months.model import FEWEST_REPLAY, REPLAY_PER_LABEL, Head, fit, macro_f1
from benchmarks.months.script import DAY_DOCUMENTS, PAST_DAYS, START, Day, Stream
from models.drift import check
from models.drift_figures import Figure
from models.drift_samples import Sample, build
from models.drift_trigger import PastCheck, TriggerOptions, confirmed, retrain_reason
from opinion.drift_windows import FEWEST_OF_CURRENT

Trigger = Literal["never", "schedule", "labels", "drift"]
LABELS_PER_DAY: Final = 20
RANDOM_SHARE: Final = 0.5  # of the labels; the others are of the least sure documents of the day
HELD_OUT_SHARE: Final = 0.2  # of the labels since the last run, for the gate
WINDOW_DAYS: Final = 7
CHECK_DAYS: Final = 2  # days between two checks: a day of this stream has few documents
SCHEDULE_DAYS: Final = 7
MIN_NEW_LABELS: Final = 200
OPTIONS: Final = TriggerOptions()
REFERENCE_DOCUMENTS: Final = 2000


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
    rows: list[Rows] = field(default_factory=list)
    days: list[int] = field(default_factory=list)

    def since(self, day: int) -> int:
        return sum(len(rows) for rows, at in zip(self.rows, self.days, strict=True) if at >= day)


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
        labels.rows.append(_labelled(arrived.rows, scores, rng))
        labels.days.append(day)
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
        candidate, held_out, used = _candidate(stream, labels, learned_until, rng)
        run.labels = used
        learned_until = day + 1
        if macro_f1(candidate, held_out) >= macro_f1(head, held_out):
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


def _labelled(rows: Rows, scores: np.ndarray, rng: np.random.Generator) -> Rows:
    """The day's answers: half at random, half of what the champion is least sure of."""
    at_random = round(RANDOM_SHARE * LABELS_PER_DAY)
    doubtful = np.argsort(scores.max(axis=1), kind="stable")[: LABELS_PER_DAY - at_random]
    others = np.setdiff1d(np.arange(len(rows)), doubtful)
    return rows.take(np.concatenate([doubtful, rng.choice(others, at_random, replace=False)]))


def _candidate(
    stream: Stream, labels: _Labels, learned_until: int, rng: np.random.Generator
) -> tuple[Head, Rows, int]:
    """A head on all labels but the held-out ones and on replay; the held-out rows, and how many labels it saw.

    The newest answers hold out a fifth for the gate, as a run's newest labels are.
    """
    newest = joined([rows for rows, at in zip(labels.rows, labels.days, strict=True) if at >= learned_until])
    older = [rows for rows, at in zip(labels.rows, labels.days, strict=True) if at < learned_until]
    order = rng.permutation(len(newest))
    cut = max(1, round(HELD_OUT_SHARE * len(newest)))
    held_out, learned = newest.take(order[:cut]), joined([*older, newest.take(order[cut:])])
    replay = stream.train.take(
        rng.permutation(len(stream.train))[: max(FEWEST_REPLAY, REPLAY_PER_LABEL * len(learned))]
    )
    mixed = rng.permutation(len(learned))
    dev_rows = learned.take(mixed[: len(learned) // 5])
    learned_rows = learned.take(mixed[len(learned) // 5 :])
    weights = np.concatenate([np.full(len(learned_rows), 3.0), np.ones(len(replay))])
    return (
        fit(joined([learned_rows, replay]), joined([dev_rows, stream.dev.take(np.arange(100))]), weights),
        held_out,
        len(learned),
    )


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
