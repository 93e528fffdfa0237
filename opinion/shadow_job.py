"""The scheduler's shadow job: looks after the open run, and starts the process that reads for it."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from core import children
from core.clock import Clock
from core.logs import get_logger
from core.settings import Settings
from opinion import shadowing
from storage import shadow_runs
from storage.shadow_runs import ShadowRun

SHADOW_EVERY: Final = timedelta(seconds=30)
WORTH_A_START: Final = 200  # documents that wait; loading a model costs more than judging fewer
AT_LEAST_EVERY: Final = timedelta(minutes=5)
MOST_ATTEMPTS: Final = 3  # processes in a row that ended without coming further

ShouldStop = Callable[[], bool]
Start = Callable[[int], "subprocess.Popen[bytes]"]
log = get_logger(__name__)


class ShadowJob:
    """Once a round: close what was overtaken, read if it is worth a process, give up on what cannot be run."""

    def __init__(self, engine: Engine, settings: Settings, clock: Clock, start: Start | None = None) -> None:
        """Args:
        start: begins the reading for a run; for tests.
        """
        self._engine = engine
        self._settings = settings
        self._clock = clock
        self._log_file = settings.home.resolve() / "logs" / "shadow.log"
        self._start = start or self._spawn

    def __call__(self, should_stop: ShouldStop) -> None:
        run = self._wanted()
        if run is None or should_stop():
            return
        child = self._start(run.id)
        code = children.work_off(child, should_stop)
        self._note(run.id, 0 if code is None else code)

    def _wanted(self) -> ShadowRun | None:
        """The run that a process is to be started for now."""
        now = self._clock.now()
        with self._engine.begin() as connection:
            run = shadowing.close_if_overtaken(connection, now=now)
            if run is None or run.state != "scoring":
                return None
            lateness = self._settings.detect.lateness
            if run.live_from is None:
                shadowing.place(
                    connection, run.id, run.champion, settings=self._settings.shadow, lateness=lateness, now=now
                )
                run = shadow_runs.current(connection) or run
            if not shadowing.is_over(run, self._settings.shadow, now):
                until = shadowing.horizon(connection, now=now, lateness=lateness)
                waiting = shadow_runs.pending(connection, run, until) if until else 0
                if not _is_worth_it(run, waiting, self._settings.shadow.documents, now):
                    return None
            shadow_runs.begin_attempt(connection, run.id, now=now)
        return run

    def _spawn(self, run_id: int) -> "subprocess.Popen[bytes]":
        environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}
        with children.open_log(self._log_file) as child_log:
            return children.spawn(
                [sys.executable, "-m", "opinion.shadow_scoring", str(run_id)], stdout=child_log, env=environment
            )

    def _note(self, run_id: int, code: int) -> None:
        """What the exit code says of the candidate; being stopped says as little as success."""
        with self._engine.begin() as connection:
            if code == 0:
                shadow_runs.end_attempt(connection, run_id)
                return
            run = shadow_runs.current(connection)
            how = children.ending(code)
            log.warning("shadow_process_failed", run=run_id, how=how)
            if run is None or run.id != run_id or run.attempts < MOST_ATTEMPTS:
                return
            now = self._clock.now()
            is_read = shadowing.is_over(run, self._settings.shadow, now)
            cannot = "the comparison cannot be made" if is_read else "the candidate cannot be run"
            reason = (
                f"{cannot}: its process {how}, {run.attempts} times in a row without coming further; "
                f"{self._log_file} says why: {_last_line(self._log_file)}"
            )
            if is_read:
                shadow_runs.wait(connection, run_id, reasons=[reason])
            else:
                shadow_runs.close(connection, run_id, "rejected", reasons=[reason], by="shadow", now=now)
        state = "waiting" if is_read else "rejected"
        log.error("shadow_given_up", run=run_id, candidate=run.candidate, state=state, reasons=[reason])


def _is_worth_it(run: ShadowRun, waiting: int, documents: int, now: datetime) -> bool:
    if not waiting:
        return False
    left = documents - run.live_scored
    is_due = run.visited_at is None or now >= run.visited_at + AT_LEAST_EVERY
    return is_due or waiting >= min(WORTH_A_START, left)


def _last_line(log_file: Path) -> str:
    return children.tail(log_file, 1)[-300:]
