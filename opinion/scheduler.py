"""Runs jobs on time in one of several schedulers: the one that holds the lease.

What a job did lives in SQL (cursors, outbox), so nothing is lost while nobody holds the lease, and a job that is cut
off is simply done again by the next holder. When jobs that come round rarely last began is in SQL, too: a restart
neither delays nor repeats them, and one that was missed while nobody was there is made up for once.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from core.logs import get_logger
from core.metrics import IS_ACTIVE_SCHEDULER, JOB_LAST_RUN, JOB_RUNS, JOB_SECONDS, TAKEOVERS
from opinion.lease import BEAT_SECONDS, STANDBY_SECONDS, Lease, LeaseLostError
from storage import job_runs, scheduler_jobs
from storage.job_runs import JobRun

log = get_logger(__name__)

STOP_SECONDS: Final = 10.0  # a job that is cut off finds `should_stop` true at its next step
KEPT_FROM: Final = timedelta(minutes=1)  # a job that comes round more often simply begins with each term
LOOK_EVERY: Final = timedelta(seconds=10)  # whether a kept job is due
AGAIN_AFTER: Final = timedelta(minutes=1)  # a run that ended with its process: not at once, it may have ended it
OUTCOMES: Final = ("done", "failed", "cut_off")
SHOW_EVERY: Final = timedelta(seconds=5)  # how the jobs are doing is written for people so often


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do again and again. It may raise: that is logged and counted, and it comes round again.

    Attributes:
        function: given `should_stop`, which a long job asks between its steps. What it does has to be right even if
            another scheduler does it at the same time: one that was frozen hears late that it has lost the lease.
    """

    name: str
    every: timedelta
    function: Callable[[Callable[[], bool]], None]

    @property
    def is_kept(self) -> bool:
        """Whether SQL says when it is due."""
        return self.every >= KEPT_FROM


class Scheduler:
    """Waits for the lease, runs the jobs while it holds it, waits again when it is lost."""

    def __init__(self, engine: Engine, jobs: Sequence[Job]) -> None:
        """Args:
        engine: of this scheduler and its jobs alone, not used yet (see `opinion.lease`).
        """
        self._engine = engine
        self._lease = Lease(engine)
        self._runs = [_Runs(job, engine) for job in jobs]
        self._stopping = threading.Event()
        self.is_active = False

    def stop(self) -> None:
        """Ask `run` to return; safe from a signal handler."""
        self._stopping.set()

    def not_ready(self) -> str | None:
        """For `/readyz`: standing by is ready, an unreachable database is not."""
        silent = self._lease.silent_seconds
        return f"PostgreSQL has not answered for {silent:.0f} s" if self._lease.is_stale else None

    def run(self) -> None:
        """Blocks until `stop` is called."""
        while not self._stopping.is_set():
            try:
                with self._lease.session() as session:
                    number = session.wait(self._stopping)
                    if number is None:
                        return
                    with self._running_jobs(_Term(number, self._lease)):
                        while not self._stopping.wait(BEAT_SECONDS):
                            session.beat()
                    session.let_go()
            except LeaseLostError:
                log.warning("lease_lost")
            except SQLAlchemyError as error:
                log.warning("lease_unavailable", reason=str(error.__cause__ or error).strip())
                self._stopping.wait(STANDBY_SECONDS)

    @contextmanager
    def _running_jobs(self, term: "_Term") -> Iterator[None]:
        scheduler = BackgroundScheduler(timezone=UTC, executors={"default": ThreadPoolExecutor(len(self._runs) + 1)})
        for runs in self._runs:
            scheduler.add_job(
                runs,
                "interval",
                args=[term],
                seconds=min(runs.job.every, LOOK_EVERY if runs.job.is_kept else runs.job.every).total_seconds(),
                name=runs.job.name,
                next_run_time=datetime.now(UTC),
                max_instances=1,
                coalesce=True,
                misfire_grace_time=None,
            )
        scheduler.add_job(
            self._show_runs,
            "interval",
            args=[term],
            seconds=SHOW_EVERY.total_seconds(),
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
        )
        self._tell_last_runs()
        self.is_active = True
        IS_ACTIVE_SCHEDULER.set(1)
        TAKEOVERS.inc()
        log.info("scheduler_active", term=term.number, jobs=[runs.job.name for runs in self._runs])
        scheduler.start()
        try:
            yield
        finally:
            term.end()
            self.is_active = False
            IS_ACTIVE_SCHEDULER.set(0)
            scheduler.shutdown(wait=False)
            deadline = time.monotonic() + STOP_SECONDS
            busy = [runs.job.name for runs in self._runs if not runs.wait_idle(deadline - time.monotonic())]
            log.info("scheduler_stopped", term=term.number, busy=busy)

    def _show_runs(self, term: "_Term") -> None:
        latest = [runs.latest for runs in self._runs if runs.latest is not None]
        if term.is_over():
            return
        try:
            with self._engine.begin() as connection:
                job_runs.keep(connection, latest)
        except SQLAlchemyError as error:
            log.warning("job_runs_not_kept", reason=str(error.__cause__ or error).strip())

    def _tell_last_runs(self) -> None:
        with self._engine.connect() as connection:
            finished = scheduler_jobs.finished(connection)
        for runs in self._runs:
            if at := finished.get(runs.job.name):
                JOB_LAST_RUN.labels(runs.job.name).set(at.timestamp())


class _Term:
    """One stretch of holding the lease."""

    def __init__(self, number: int, lease: Lease) -> None:
        self.number = number
        self._lease = lease
        self._ended = threading.Event()

    def end(self) -> None:
        self._ended.set()

    def is_over(self) -> bool:
        """Whether it has ended, or may have without our knowing; jobs ask this as `should_stop`."""
        return self._ended.is_set() or self._lease.is_stale


class _Runs:
    """The runs of one job, never two at once, through all terms of this scheduler."""

    def __init__(self, job: Job, engine: Engine) -> None:
        self.job = job
        self.latest: JobRun | None = None  # replaced as a whole, so that any thread may read it
        self._engine = engine
        self._busy = threading.Lock()
        for outcome in OUTCOMES:
            JOB_RUNS.labels(job.name, outcome)
        JOB_SECONDS.labels(job.name)
        JOB_LAST_RUN.labels(job.name)

    def __call__(self, term: _Term) -> None:
        """Run once, if it is due; skipped while a run of an earlier term still goes on."""
        if term.is_over() or not self._busy.acquire(blocking=False):
            return
        try:
            if not self.job.is_kept:
                self._run(term)
            elif self._begin(term) and self._run(term) != "cut_off":
                self._finish(term)
        except SQLAlchemyError as error:
            log.warning("job_cursor_unavailable", job=self.job.name, reason=str(error.__cause__ or error).strip())
        finally:
            self._busy.release()

    def wait_idle(self, seconds: float) -> bool:
        """Wait until no run goes on; False when time is up before."""
        if not self._busy.acquire(timeout=max(0.0, seconds)):
            return False
        self._busy.release()
        return True

    def _run(self, term: _Term) -> str:
        outcome, failure = "done", None
        before = self.latest or JobRun(self.job.name, self.job.every.total_seconds(), datetime.now(UTC))
        self.latest = run = replace(before, started_at=datetime.now(UTC), finished_at=None)
        began = time.monotonic()
        with JOB_SECONDS.labels(self.job.name).time():
            try:
                self.job.function(term.is_over)
            except Exception as error:  # a job's failure is its own: the others go on, and it comes round again
                outcome, failure = "failed", error
                log.exception("job_failed", job=self.job.name)
        if term.is_over():
            outcome = "cut_off"  # perhaps it was done, but nothing tells so
        else:
            JOB_LAST_RUN.labels(self.job.name).set_to_current_time()
        JOB_RUNS.labels(self.job.name, outcome).inc()
        self.latest = _ended(run, outcome, time.monotonic() - began, failure)
        return outcome

    def _begin(self, term: _Term) -> bool:
        with self._engine.begin() as connection:
            return scheduler_jobs.start(
                connection, self.job.name, term=term.number, every=self.job.every, again=AGAIN_AFTER
            )

    def _finish(self, term: _Term) -> None:
        with self._engine.begin() as connection:
            scheduler_jobs.finish(connection, self.job.name, term=term.number)


def _ended(run: JobRun, outcome: str, seconds: float, failure: Exception | None) -> JobRun:
    now = datetime.now(UTC)
    ended = replace(run, finished_at=now, outcome=outcome, seconds=seconds, runs=run.runs + 1)
    if failure is None:
        return ended
    said = f"{type(failure).__name__}: {failure}".splitlines()[0][: job_runs.MOST_ERROR_CHARS]
    return replace(ended, failures=run.failures + 1, error=said.replace("\x00", ""), failed_at=now)
