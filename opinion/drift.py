"""The drift job: are the newest documents still like those that the champion took over with, and what follows."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from sqlalchemy import Connection, Engine

from core.clock import Clock
from core.logs import get_logger
from core.metrics import (
    DRIFT_ASKS_FOR_LABELS,
    DRIFT_EFFECT,
    DRIFT_LAST_CHECK,
    DRIFT_THRESHOLD,
    ESTIMATED_ACCURACY,
    TOPIC_PROPOSALS,
)
from core.settings import Settings
from models.drift_trigger import (
    Confirmed,
    PastCheck,
    TriggerOptions,
    confirmed,
    labels_reason,
    retrain_reason,
)
from opinion.drift_child import DriftJob, DriftOutcome
from opinion.drift_reading import DriftOptions, ShouldStop, computed, gathered
from opinion.drift_windows import Windows, choose
from opinion.promotions import first_champion
from storage import drift_checks, model_versions, topic_proposals, training_runs
from storage.drift_checks import DriftRow
from storage.topic_proposals import ProposalRow

log = get_logger(__name__)


@dataclass(frozen=True)
class DriftResult:
    """What a check found; `reason` says why there was none."""

    rows: list[DriftRow]
    proposals: list[ProposalRow]
    reason: str | None = None


def drift_options(settings: Settings) -> DriftOptions:
    """How checks are made, out of the settings."""
    return DriftOptions(
        home=settings.home,
        checkpoint=settings.models.checkpoint,
        reference=settings.drift.reference,
        window=settings.drift.window,
        documents=settings.drift.documents,
        device=settings.models.device,
        batch_tokens=settings.models.batch_tokens,
        max_length=settings.models.max_length,
        threads=settings.models.threads,
    )


def trigger_options(settings: Settings) -> TriggerOptions:
    """When drift starts a run, out of the settings."""
    return TriggerOptions(min_labels=settings.drift.min_labels, cool_down=settings.drift.cool_down)


def drift_job(settings: Settings, engine: Engine, clock: Clock) -> Callable[[ShouldStop], None]:
    """For the scheduler: look for drift, and show what was found as metrics."""

    def run(should_stop: ShouldStop) -> None:
        now = clock.now()
        result = check(engine, drift_options(settings), now, should_stop)
        with engine.connect() as connection:
            asks = labels_wanted(connection, now, trigger_options(settings))
        DRIFT_ASKS_FOR_LABELS.set(asks is not None)
        if result.reason:
            log.info("drift_not_checked", reason=result.reason)

    return run


def check(
    engine: Engine, options: DriftOptions, now: datetime, should_stop: ShouldStop = lambda: False
) -> DriftResult:
    """Look for drift and new topics now, and keep what was found. Blocks for a minute or two.

    Raises:
        DriftFailedError: the child process ended without a result.
    """
    with engine.begin() as connection:
        champion = first_champion(connection, options.checkpoint)
        windows = choose(connection, champion, options.reference, options.window)
        if isinstance(windows, str):
            return DriftResult([], [], windows)
        job = gathered(connection, champion.version, champion.path, windows, options)
    outcome = computed(job, options, should_stop)
    rows, proposals = (
        _rows(outcome, windows, champion.version, now),
        _found(outcome, job, windows, champion.version, now),
    )
    with engine.begin() as connection:
        drift_checks.add(connection, rows)
        topic_proposals.add(connection, proposals, now)
    _show_metrics(rows, proposals, now)
    drifted = sorted({row.measure for row in rows if row.is_drifted and row.slice_kind == "all"})
    log.info("drift_checked", champion=champion.version, drifted=drifted, proposals=len(proposals))
    return DriftResult(rows, proposals)


def retrain_wanted(connection: Connection, now: datetime, options: TriggerOptions | None = None) -> str | None:
    """Why drift wants the retrain job to run now; None when it does not. A few queries by index."""
    drift, labels = _drift(connection, now)
    last = drift_checks.last_run_at(connection)
    return retrain_reason(drift, labels, last, now, options or TriggerOptions())


def labels_wanted(connection: Connection, now: datetime, options: TriggerOptions | None = None) -> str | None:
    """Why drift wants people to label; None when there is none, or it has labels enough to learn from."""
    drift, labels = _drift(connection, now)
    return labels_reason(drift, labels, options or TriggerOptions())


def _drift(connection: Connection, now: datetime) -> tuple[Confirmed | None, int]:
    """What the champion's checks agree on, and how many texts were labelled since."""
    champion = model_versions.champion(connection)
    if champion is None:
        return None, 0
    checks = [
        PastCheck(at, figures[0].current_from, frozenset(row.measure for row in figures if row.is_drifted))
        for at, rows in groupby(
            drift_checks.of_everything(connection, champion.version), key=lambda row: row.checked_at
        )
        if (figures := list(rows))[0].checked_at >= champion.promoted_at
    ]
    drift = confirmed(checks, now)
    if drift is None:
        return None, 0
    return drift, drift_checks.labels_since(connection, drift.since, training_runs.last_label_seen(connection))


def _rows(outcome: DriftOutcome, windows: Windows, version: str, now: datetime) -> list[DriftRow]:
    return [
        DriftRow(
            now,
            version,
            one.slice_kind,
            one.slice_value,
            one.measure,
            one.effect,
            one.threshold,
            one.is_drifted,
            *windows.reference,
            one.reference_documents,
            *windows.current,
            one.current_documents,
            one.detail,
        )
        for one in outcome.figures
    ]


def _found(outcome: DriftOutcome, job: DriftJob, windows: Windows, version: str, now: datetime) -> list[ProposalRow]:
    documents = [*job.newer, *job.older]
    return [
        ProposalRow(
            now,
            version,
            list(one.terms),
            one.now,
            one.before,
            *windows.newer,
            [documents[place].id for place in one.examples],
            [documents[place].published_at for place in one.examples],
        )
        for one in outcome.proposals
    ]


def _show_metrics(rows: list[DriftRow], proposals: list[ProposalRow], now: datetime) -> None:
    for row in rows:
        if row.slice_kind == "all":
            DRIFT_EFFECT.labels(row.measure).set(row.effect)
            DRIFT_THRESHOLD.labels(row.measure).set(row.threshold)
            if "estimate" in row.detail:
                ESTIMATED_ACCURACY.labels(row.measure.removesuffix("_accuracy")).set(row.detail["estimate"])
    DRIFT_LAST_CHECK.set(now.timestamp())
    TOPIC_PROPOSALS.set(len(proposals))
