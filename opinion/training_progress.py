"""How far a run is, for everybody who asks: in SQL, in the metrics, and to the person who waits."""

import time
from typing import Final, Literal

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from core.logs import get_logger
from core.metrics import (
    TRAINING_DEV,
    TRAINING_DEV_FIGURES,
    TRAINING_IS_RUNNING,
    TRAINING_PEAK_BYTES,
    TRAINING_RUNS,
    TRAINING_STEPS,
    TRAINING_STEPS_WANTED,
)
from opinion.training_child import Progress
from opinion.training_process import OnProgress
from storage import training_runs

KEEP_EVERY_SECONDS: Final = 2.0  # a row that changes at each look would only make work for vacuum
log = get_logger(__name__)


class ProgressKeeper:
    """Takes the progress of one run; a stage that changes is stored at once, steps every `KEEP_EVERY_SECONDS`."""

    def __init__(self, engine: Engine, run: int, also: OnProgress | None) -> None:
        self._engine = engine
        self._run = run
        self._also = also
        self._kept: Progress | None = None
        self._kept_at = 0.0
        TRAINING_IS_RUNNING.set(1)
        TRAINING_STEPS.set(0)
        TRAINING_STEPS_WANTED.set(0)

    def __call__(self, progress: Progress) -> None:
        if self._also:
            self._also(progress)
        TRAINING_STEPS.set(progress.step)
        TRAINING_STEPS_WANTED.set(progress.steps)
        for name, figure in progress.dev.items():
            if name in TRAINING_DEV_FIGURES:
                TRAINING_DEV.labels(name).set(figure)
        is_new_stage = self._kept is None or self._kept.stage != progress.stage
        is_time = time.monotonic() - self._kept_at >= KEEP_EVERY_SECONDS and progress != self._kept
        if is_new_stage or is_time:
            self._store(progress)

    def ended(self, outcome: Literal["judged", "failed"], peak_bytes: int) -> None:
        """The run is over."""
        TRAINING_IS_RUNNING.set(0)
        TRAINING_RUNS.labels(outcome).inc()
        if peak_bytes:
            TRAINING_PEAK_BYTES.set(peak_bytes)
            log.info("training_memory", run=self._run, peak_bytes=peak_bytes)

    def _store(self, progress: Progress) -> None:
        self._kept, self._kept_at = progress, time.monotonic()
        told = {"stage": progress.stage, "step": progress.step, "steps": progress.steps, "dev": progress.dev}
        try:
            with self._engine.begin() as connection:
                training_runs.set_progress(connection, self._run, told)
        except SQLAlchemyError as error:  # the training goes on: only the looking suffers
            log.warning("progress_not_stored", run=self._run, reason=str(error.__cause__ or error).strip())
