"""The retrain job: labels in, a candidate out of a child process, a verdict, and perhaps a new champion."""

import os
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

from sqlalchemy import Connection, Engine

from core.errors import DependencyNotReadyError, OpinionError
from core.logs import get_logger
from core.settings import ShadowSettings
from models.gate_options import GateOptions
from models.gate_verdict import Verdict
from models.model_store import ModelStore
from models.recipe import Optimisation, TrainingMethod
from opinion import shadowing
from opinion.candidates import Provenance, push_missing, seal_candidate
from opinion.promotions import first_champion
from opinion.snapshot import LearningOptions, Snapshot, keep_gold, replay_pool, rows_hash, same_as, take_snapshot
from opinion.training_child import TrainingJob, TrainingOutcome, TrainingRows
from opinion.training_process import MIB, Ask, OnProgress, TrainingFailedError, Watch, Work
from opinion.training_progress import ProgressKeeper
from opinion.triggers import BY_HAND, Trigger
from opinion.watched_rows import watched
from storage import model_versions, training_runs
from storage.model_versions import Promotion
from streams.model_files import brought_here

POOL_TEXTS: Final = 10_000  # documents that the champion reads to find replay rows: a minute on a slow core
ShouldStop = Ask
log = get_logger(__name__)
__all__ = ["OnProgress", "RetrainOptions", "RetrainResult", "RetrainRunningError", "TrainingFailedError", "retrain"]


class RetrainRunningError(DependencyNotReadyError):
    """Another retrain run is at work."""


@dataclass(frozen=True)
class RetrainOptions:
    """How runs are made; see `core.settings.RetrainSettings` and `ModelSettings`.

    Attributes:
        home: candidates go under `home/models`, work in progress under `home/retrain`.
        checkpoint: champion as long as no model was promoted.
        threads: of the training; 0 takes half of the processors.
        most_memory_mb: a training that takes more is ended; 0 sets no bound.
        shadow, lateness: what an accepted candidate has to show before it is promoted (nothing if None), see
            `opinion.shadowing`.
        store: gets the candidates, so that workers on other machines find them.
    """

    home: Path
    checkpoint: str
    held_out_share: float
    epochs: float
    learning_rate: float
    device: Literal["auto", "cpu", "cuda"]
    batch_tokens: int
    max_length: int
    threads: int
    method: TrainingMethod = "full"
    micro_tokens: int | None = None
    processes: int = 0
    most_memory_mb: int = 0
    gate: GateOptions = field(default_factory=GateOptions)
    shadow: ShadowSettings | None = None
    lateness: timedelta = timedelta(minutes=2)
    store: ModelStore | None = None

    @property
    def learning(self) -> LearningOptions:
        """What decides what comes out."""
        return LearningOptions(self.epochs, self.learning_rate, self.method, self.max_length)

    def remembered(self) -> dict[str, Any]:
        """What a model's lineage says of how it was trained."""
        elsewhere = ("home", "checkpoint", "store", "gate", "shadow", "lateness")  # the gate stands in the figures
        given = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in elsewhere}
        return {"seed": Optimisation().seed, **given}


@dataclass(frozen=True)
class RetrainResult:
    """What a run came to; `run` is None when there was nothing to do, and `reasons` says why.

    Attributes:
        shadow: the shadow run that an accepted candidate has to pass before it is promoted.
    """

    run: int | None
    champion: str
    candidate: str | None
    promoted: bool
    reasons: list[str]
    metrics: dict[str, Any]
    shadow: int | None = None


def retrain(
    engine: Engine,
    options: RetrainOptions,
    *,
    min_new_labels: int,
    now: datetime,
    trigger: Trigger = BY_HAND,
    should_stop: Ask = lambda: False,
    should_pause: Ask = lambda: False,
    on_progress: OnProgress | None = None,
) -> RetrainResult:
    """Train on all labels, if enough of them are new; what passes the gate goes into shadow, or is promoted at once.

    Blocks for minutes.

    A run on the labels of one that was broken off goes on where that one was. The workers hear of a promotion by
    `promotions.announce_pending`.

    Args:
        min_new_labels: fewer labels since the last run that came to a verdict: nothing is done.
        trigger: what began the run; kept with it.
        should_pause: while true, the training waits (an hour in all at most).

    Raises:
        RetrainRunningError: there is another run, in this process or elsewhere.
        TrainingFailedError: the training ended without a candidate; the run is marked so.
    """
    with training_runs.only_run(engine) as is_ours:
        if not is_ours:
            raise RetrainRunningError(remedy="wait for it; `opinion models list` shows how far it is")
        with engine.begin() as connection:
            training_runs.close_abandoned(connection, "the run was broken off: its process ended")
            found = _snapshot(connection, options, min_new_labels, now)
            if isinstance(found, str):
                present = model_versions.champion(connection)
                name = present.version if present else options.checkpoint
                return RetrainResult(None, name, None, False, [found], {})
            champion = first_champion(connection, options.checkpoint)
            work = Work.of(options.home, found.hash, champion.version)
            begun = work.begun()
            rows = begun[1] if begun else _rows(connection, found)
            run = training_runs.start(
                connection,
                champion=champion.version,
                last_label_id=found.parts.last_label_id,
                trigger=trigger.kind,
                trigger_reason=trigger.reason,
                snapshot_hash=found.hash,
                snapshot=found.described() | {"pool": len(rows.pool), "pool_hash": rows_hash(rows.pool)},
            )
            keep_gold(connection, found)
        log.info(
            "retrain_started", run=run, champion=champion.version, is_resumed=begun is not None, **found.counts()
        )
        keeper = ProgressKeeper(engine, run, on_progress)
        try:
            parent = brought_here(champion.path, engine, home=options.home, store=options.store)
            job = _job(champion._replace(path=parent), options, begun[0].created_at if begun else now)
            if begun is None:
                work.begin(job, rows)
            elif begun[0] != job:  # options that change nothing but speed, or the number of threads
                work.change(job)
            bound = options.most_memory_mb * MIB or None
            outcome = work.run(job.threads, Watch(should_stop, should_pause, keeper, bound))
            provenance = seal_candidate(
                engine,
                options.home,
                outcome.version,
                run=run,
                options=options.remembered(),
                metrics=_figures(outcome),
            )
        except BaseException as error:
            reason = error.message if isinstance(error, OpinionError) else f"broken off: {type(error).__name__}"
            with engine.begin() as connection:
                training_runs.finish(connection, run, reasons=[reason])
            keeper.ended("failed", work.peak_bytes)
            raise
        keeper.ended("judged", work.peak_bytes)
        result = _conclude(engine, run, champion, outcome, provenance, options, now)
        work.remove()  # not before the verdict is stored: until then the next run would need it
    if options.store is not None:
        push_missing(engine, options.store)
    return result


def _snapshot(connection: Connection, options: RetrainOptions, min_new_labels: int, now: datetime) -> Snapshot | str:
    """The labels to learn from, or why there is nothing to do."""
    found = take_snapshot(connection, options.learning, held_out_share=options.held_out_share, now=now)
    if isinstance(found, str):
        return found
    if found.new_labels < min_new_labels:
        return f"{found.new_labels} labels since the last run, {min_new_labels} are needed"
    last = training_runs.last_judged(connection)
    if last is not None and same_as(found, last):
        training_runs.has_seen(connection, last.id, found.parts.last_label_id)  # repeated answers: new, and no news
        return f"nothing is new: run {last.id} learned from the same labels with the same options"
    return found


def _rows(connection: Connection, snapshot: Snapshot) -> TrainingRows:
    parts = snapshot.parts
    pool = replay_pool(connection, POOL_TEXTS)
    held_out = watched(connection, parts.held_out)
    return TrainingRows(parts.train, parts.dev, held_out, pool, parts.held_out_since)


def _job(champion: Promotion, options: RetrainOptions, created_at: datetime) -> TrainingJob:
    return TrainingJob(
        champion=champion.path,
        champion_version=champion.version,
        home=str(options.home.resolve()),
        created_at=created_at,
        epochs=options.epochs,
        learning_rate=options.learning_rate,
        device=options.device,
        batch_tokens=options.batch_tokens,
        max_length=options.max_length,
        threads=options.threads or max(1, (os.cpu_count() or 2) // 2),
        method=options.method,
        micro_tokens=options.micro_tokens,
        processes=options.processes,
        gate=options.gate,
    )


def _conclude(
    engine: Engine,
    run: int,
    champion: Promotion,
    outcome: TrainingOutcome,
    provenance: Provenance,
    options: RetrainOptions,
    now: datetime,
) -> RetrainResult:
    """Register the candidate and write the verdict; what comes of an accepted one is in the same transaction."""
    verdict = outcome.verdict
    metrics = _figures(outcome)
    with engine.begin() as connection:
        model_versions.register(
            connection,
            outcome.version,
            outcome.path,
            origin="retrain",
            parent=champion.version,
            metrics=metrics,
            **vars(provenance),
        )
        shadow = _beyond_the_gate(connection, run, outcome.version, verdict, options, now)
        is_promoted = verdict.is_accepted and shadow is None
        training_runs.finish(
            connection,
            run,
            reasons=verdict.reasons,
            candidate=outcome.version,
            is_promoted=is_promoted,
            metrics=metrics,
        )
    log.info(
        "retrain_finished",
        run=run,
        candidate=outcome.version,
        is_promoted=is_promoted,
        shadow=shadow,
        reasons=verdict.reasons,
    )
    return RetrainResult(run, champion.version, outcome.version, is_promoted, verdict.reasons, metrics, shadow)


def _beyond_the_gate(
    connection: Connection, run: int, candidate: str, verdict: Verdict, options: RetrainOptions, now: datetime
) -> int | None:
    """An accepted candidate goes into shadow beside whoever is champion now, or is promoted where there is none.

    Returns:
        The shadow run.
    """
    present = model_versions.champion(connection)
    if not verdict.is_accepted:
        return None
    if (
        options.shadow is not None
        and options.shadow.documents
        and present is not None
        and present.version != candidate
    ):
        return shadowing.enter(
            connection,
            candidate,
            present.version,
            training_run=run,
            settings=options.shadow,
            lateness=options.lateness,
            now=now,
        )
    model_versions.promote(connection, candidate, reason=f"retrain run {run}: {verdict.reasons[0]}", by="retrain")
    return None


def _figures(outcome: TrainingOutcome) -> dict[str, Any]:
    """The figures of an outcome as they are stored."""
    return {
        "held_out": asdict(outcome.held_out),
        "replay": {**asdict(outcome.replay), "origin": outcome.replay_origin},
        "behaviour": [asdict(change) for change in outcome.behaviour],
        "rows": outcome.rows,
        "dev": outcome.dev,
        "ages": {name: asdict(comparison) for name, comparison in outcome.ages.items()},
        "gate": outcome.gate,
    }
