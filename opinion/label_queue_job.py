"""The scheduler's job that keeps the queue of documents to label filled, by a child process of low priority."""

import os
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Final

from sqlalchemy import Engine

from core import children
from core.clock import Clock
from core.logs import get_logger
from core.settings import Settings
from opinion.label_filling import missing
from storage import incidents, label_candidates, label_queue_filling

NICENESS: Final = 10  # workers and the scheduler come first
FULL_ENOUGH: Final = 0.8  # of the length; a fill costs seconds, whether it adds one document or a hundred

ShouldStop = Callable[[], bool]
log = get_logger(__name__)


class LabelQueueJob:
    """Drops what is stale, and starts `opinion labels queue fill` where documents are missing and new ones have come.

    A round without a fill is a few queries over the queue.
    """

    def __init__(self, settings: Settings, engine: Engine, clock: Clock) -> None:
        self._settings = settings
        self._engine = engine
        self._clock = clock
        self._filled_at: tuple[datetime | None, str | None] | None = None

    def __call__(self, should_stop: ShouldStop) -> None:
        state = self.wanted()
        if state is None or should_stop():
            return
        argv = [sys.executable, "-m", "opinion.cli", "labels", "queue", "fill", "--niceness", str(NICENESS)]
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        with children.open_log(self._settings.home.resolve() / "logs" / "label_queue.log") as child_log:
            child = children.spawn(argv, stdout=child_log, env={**os.environ, **threads})
        code = children.work_off(child, should_stop)
        if code is None:
            return
        self._filled_at = state
        log.info("label_queue_filled", exit_code=code)

    def wanted(self) -> tuple[datetime | None, str | None] | None:
        """The newest minute and its model, if a fill is worth while now; drops stale documents on the way."""
        sampling, now = self._settings.sampling, self._clock.now()
        if sampling.length == 0:
            return None
        with self._engine.begin() as connection:
            newest = label_candidates.newest_minute(connection, now)
            judge = label_candidates.newest_judge(connection, newest) if newest else None
            dropped = label_queue_filling.drop_stale(connection, before=now - sampling.keep, now=now, judge=judge)
            waiting = label_queue_filling.waiting(connection)
            short = missing(waiting, sampling, has_incidents=bool(incidents.firing(connection)))
        if dropped:
            log.info("label_queue_dropped", **{cause.replace(" ", "_"): count for cause, count in dropped.items()})
        is_short = sum(waiting.values()) < FULL_ENOUGH * sampling.length or short.get("alert", 0) > 0
        state = (newest, judge)
        return state if is_short and newest is not None and state != self._filled_at else None
