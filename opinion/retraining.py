"""The retrain job: labels in, a candidate out of a child process, a verdict, and perhaps a new champion."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import Connection, Engine

from core import children
from core.errors import OpinionError
from core.logs import get_logger
from core.scrubbing import scrub
from models.datasets import LabelledText
from models.gate import Verdict, judge
from models.model_store import ModelStore
from models.recipe import Optimisation
from opinion.candidates import Provenance, push_missing, seal_candidate
from opinion.promotions import first_champion
from opinion.training_child import (
    JOB_FILE,
    OUTCOME_FILE,
    PROGRESS_FILE,
    ROWS_FILE,
    Progress,
    TrainingJob,
    TrainingOutcome,
    TrainingRows,
)
from opinion.training_set import FEWEST_TEXTS, TrainingSet, adjudicate, split
from storage import human_labels, model_versions, training_runs
from storage.model_versions import Promotion
from streams.model_files import brought_here

POOL_TEXTS: Final = 10_000  # documents that the champion reads to find replay rows: a minute on a slow core
LOOK_SECONDS: Final = 0.5  # how often progress is read and `should_stop` asked
STOP_SECONDS: Final = 5.0

OnProgress = Callable[[Progress], None]
ShouldStop = Callable[[], bool]
log = get_logger(__name__)


class RetrainRunningError(OpinionError):
    """Another retrain run is at work."""


class TrainingFailedError(OpinionError):
    """The training ended without a candidate."""


@dataclass(frozen=True)
class RetrainOptions:
    """How runs are made; see `core.settings.RetrainSettings` and `ModelSettings`.

    Attributes:
        home: candidates go under `home/models`, work in progress under `home/retrain`.
        checkpoint: champion as long as no model was promoted.
        threads: of the training; 0 takes half of the processors.
        store: gets the candidates, so that workers on other machines find them.
    """

    home: Path
    checkpoint: str
    held_out_share: float
    tolerance: float
    epochs: float
    learning_rate: float
    device: Literal["auto", "cpu", "cuda"]
    batch_tokens: int
    max_length: int
    threads: int
    store: ModelStore | None = None

    def remembered(self) -> dict[str, Any]:
        """What a model's lineage says of how it was trained."""
        elsewhere = ("home", "checkpoint", "store")
        given = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in elsewhere}
        return {"seed": Optimisation().seed, **given}


@dataclass(frozen=True)
class RetrainResult:
    """What a run came to; `run` is None when there was nothing to do, and `reasons` says why."""

    run: int | None
    champion: str
    candidate: str | None
    promoted: bool
    reasons: list[str]
    metrics: dict[str, Any]


def retrain(
    engine: Engine,
    options: RetrainOptions,
    *,
    min_new_labels: int,
    now: datetime,
    should_stop: ShouldStop = lambda: False,
    on_progress: OnProgress | None = None,
) -> RetrainResult:
    """Train on all labels, if enough of them are new, and promote what passes the gate. Blocks for minutes.

    The workers hear of it by `promotions.announce_pending`.

    Args:
        min_new_labels: fewer labels since the last run that came to a verdict: nothing is done.

    Raises:
        RetrainRunningError: there is another run, in this process or elsewhere.
        TrainingFailedError: the training ended without a candidate; the run is marked so.
    """
    with training_runs.only_run(engine) as is_ours:
        if not is_ours:
            raise RetrainRunningError(remedy="wait for it; `opinion models list` shows what it brings")
        with engine.begin() as connection:
            training_runs.close_abandoned(connection, "the run was broken off: its process ended")
            found = _snapshot(connection, options.held_out_share, min_new_labels)
            if isinstance(found, str):
                present = model_versions.champion(connection)
                name = present.version if present else options.checkpoint
                return RetrainResult(None, name, None, False, [found], {})
            champion = first_champion(connection, options.checkpoint)
            pool = [
                LabelledText(scrub(document.text), lang=document.lang, source=document.source)
                for document in training_runs.sample_documents(connection, POOL_TEXTS)
            ]
            run = training_runs.start(connection, champion=champion.version, last_label_id=found.last_label_id)
        log.info("retrain_started", run=run, champion=champion.version, texts=found.texts, pool=len(pool))
        rows = TrainingRows(found.train, found.dev, found.held_out, pool)
        try:
            parent = brought_here(champion.path, engine, home=options.home, store=options.store)
            outcome = _train(run, champion._replace(path=parent), rows, options, now, should_stop, on_progress)
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
            raise
        result = _conclude(engine, run, champion, outcome, options.tolerance, provenance)
    if options.store is not None:
        push_missing(engine, options.store)
    return result


def _snapshot(connection: Connection, held_out_share: float, min_new_labels: int) -> TrainingSet | str:
    """The labels to learn from, or why there is nothing to do."""
    new = human_labels.count_after(connection, training_runs.last_label_seen(connection))
    texts, last_label_id = adjudicate(human_labels.rows(connection))
    if not texts:
        return "there are no labels"
    if new < min_new_labels:
        return f"{new} labels since the last run, {min_new_labels} are needed"
    if len(texts) < FEWEST_TEXTS:
        return f"{len(texts)} labelled texts are too few to train, stop and judge by"
    return split(texts, last_label_id, held_out_share=held_out_share)


def _train(
    run: int,
    champion: Promotion,
    rows: TrainingRows,
    options: RetrainOptions,
    now: datetime,
    should_stop: ShouldStop,
    on_progress: OnProgress | None,
) -> TrainingOutcome:
    """Train in a child process, so that torch's memory and a crash are not ours."""
    folder = options.home.resolve() / "retrain" / str(run)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    threads = options.threads or max(1, (os.cpu_count() or 2) // 2)
    job = TrainingJob(
        champion=champion.path,
        champion_version=champion.version,
        home=str(options.home.resolve()),
        created_at=now,
        epochs=options.epochs,
        learning_rate=options.learning_rate,
        device=options.device,
        batch_tokens=options.batch_tokens,
        max_length=options.max_length,
        threads=threads,
    )
    (folder / JOB_FILE).write_bytes(msgspec.json.encode(job))
    (folder / ROWS_FILE).write_bytes(msgspec.json.encode(rows))
    log_file = options.home.resolve() / "logs" / "retrain.log"
    try:
        code = _run_child(folder, threads, log_file, should_stop, on_progress)
        outcome_file = folder / OUTCOME_FILE
        if code != 0 or not outcome_file.is_file():
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            raise TrainingFailedError(
                f"the training {how}", remedy=f"{log_file} says why:\n{children.tail(log_file, 6)}"
            )
        return msgspec.json.decode(outcome_file.read_bytes(), type=TrainingOutcome)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run_child(
    folder: Path, threads: int, log_file: Path, should_stop: ShouldStop, on_progress: OnProgress | None
) -> int:
    """The child's exit code. It is stopped when we are told to stop or are interrupted, and dies with us."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false"}
    argv = [sys.executable, "-m", "opinion.training_child", str(folder)]
    with children.open_log(log_file) as child_log:
        child = children.spawn(argv, stdout=child_log, env=environment)
    try:
        code: int | None = None
        while code is None:
            try:
                code = child.wait(LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                if should_stop():
                    raise TrainingFailedError("the training was stopped", remedy="the next run starts anew") from None
            progress = children.read_state(folder / PROGRESS_FILE, Progress)
            if progress and on_progress:
                on_progress(progress)
        return code
    finally:
        children.stop(child, grace_seconds=STOP_SECONDS)


def _conclude(
    engine: Engine,
    run: int,
    champion: Promotion,
    outcome: TrainingOutcome,
    tolerance: float,
    provenance: Provenance,
) -> RetrainResult:
    """Register the candidate and write the verdict; promotion and run are one transaction."""
    verdict: Verdict = judge(outcome.held_out, outcome.replay, tolerance=tolerance, behaviour=outcome.behaviour)
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
        if verdict.is_promoted:
            reason = f"retrain run {run}: {verdict.reasons[0]}"
            model_versions.promote(connection, outcome.version, reason=reason, by="retrain")
        training_runs.finish(
            connection,
            run,
            reasons=verdict.reasons,
            candidate=outcome.version,
            is_promoted=verdict.is_promoted,
            metrics=metrics,
        )
    log.info(
        "retrain_finished",
        run=run,
        candidate=outcome.version,
        is_promoted=verdict.is_promoted,
        reasons=verdict.reasons,
    )
    return RetrainResult(run, champion.version, outcome.version, verdict.is_promoted, verdict.reasons, metrics)


def _figures(outcome: TrainingOutcome) -> dict[str, Any]:
    """The figures of an outcome as they are stored."""
    return {
        "held_out": asdict(outcome.held_out),
        "replay": {**asdict(outcome.replay), "origin": outcome.replay_origin},
        "behaviour": [asdict(change) for change in outcome.behaviour],
        "rows": outcome.rows,
        "dev": outcome.dev,
    }
