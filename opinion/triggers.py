"""What begins a retrain run: time, labels, drift, or a person; a decision over figures, with its reason in words."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import Connection

from storage import human_labels, training_runs

TriggerKind = Literal["schedule", "labels", "drift", "hand"]
Drift = Callable[[Connection, datetime], str | None]
"""Why the models no longer fit what comes in; None while they do."""

FIRST_PAUSE: Final = timedelta(minutes=1)  # after a run without a verdict: a restart should not wait long,
MOST_PAUSE: Final = timedelta(hours=24)  # and what fails each time should not be tried all day


@dataclass(frozen=True)
class Trigger:
    """What began a run, and the same in words."""

    kind: TriggerKind
    reason: str


BY_HAND: Final = Trigger("hand", "asked for")


@dataclass(frozen=True)
class TriggerOptions:
    """See `core.settings.RetrainSettings`.

    Attributes:
        every: after so long the labels that came meanwhile are learned, if there are `min_scheduled_labels`.
        min_new_labels: so many are learned at once.
        drift: asked last, if given; some new label is needed then too.
    """

    every: timedelta
    min_new_labels: int
    min_scheduled_labels: int
    drift: Drift | None = None


@dataclass(frozen=True)
class Standing:
    """What speaks for a run.

    Attributes:
        new_labels: since the last run that came to a verdict.
        judged_at: when that was; None before the first.
        failures, failed_at: runs since then that came to none, and when the newest of them ended.
    """

    new_labels: int
    judged_at: datetime | None
    failures: int = 0
    failed_at: datetime | None = None


def due(connection: Connection, options: TriggerOptions, now: datetime) -> Trigger | None:
    """Whether a run should begin now; a few small queries."""
    judged = training_runs.last_judged(connection)
    failures, failed_at = training_runs.failures_since_verdict(connection)
    standing = Standing(
        new_labels=human_labels.count_after(connection, training_runs.last_label_seen(connection)),
        judged_at=judged.finished_at if judged else None,
        failures=failures,
        failed_at=failed_at,
    )
    found = decide(standing, options, now)
    if found is None and options.drift and standing.new_labels and not is_resting(standing, now):
        reason = options.drift(connection, now)
        found = Trigger("drift", reason) if reason else None
    return found


def decide(standing: Standing, options: TriggerOptions, now: datetime) -> Trigger | None:
    """By labels and time alone."""
    if is_resting(standing, now):
        return None
    if standing.new_labels >= options.min_new_labels:
        return Trigger("labels", f"{standing.new_labels} new labels, {options.min_new_labels} are enough")
    is_time = standing.judged_at is None or now - standing.judged_at >= options.every
    if is_time and standing.new_labels >= options.min_scheduled_labels:
        since = f"since {standing.judged_at:%Y-%m-%d %H:%M} UTC" if standing.judged_at else "so far"
        return Trigger("schedule", f"{standing.new_labels} new labels {since}")
    return None


def is_resting(standing: Standing, now: datetime) -> bool:
    """Whether the last runs failed so often, and so lately, that another would too."""
    if not standing.failures or standing.failed_at is None:
        return False
    doubled: int = 2 ** min(standing.failures - 1, 20)
    pause = min(MOST_PAUSE, FIRST_PAUSE * doubled)
    return now - standing.failed_at < pause
