"""Runs jobs on time in one of several schedulers: the one that holds the lease.

The lease is an advisory lock of a PostgreSQL session, so it falls free the moment its holder's connection dies.
What a job did lives in SQL (cursors, outbox), so nothing is lost while nobody holds it, and a job that is cut off
is simply done again by the next holder.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from core.logs import get_logger
from core.metrics import IS_ACTIVE_SCHEDULER, JOB_RUNS

log = get_logger(__name__)

SCHEDULER_LOCK = 0x0B1A1057  # advisory lock of the active scheduler; any constant unique to this product
LEASE_CHECK_SECONDS = 1.0
STANDBY_SECONDS = 1.0
STOP_SECONDS = 10.0  # a job that is cut off finds `should_stop` true at its next step


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do again and again. It may raise: that is logged and counted, and it comes round again.

    Attributes:
        function: given `should_stop`, which a long job asks between its steps.
    """

    name: str
    every: timedelta
    function: Callable[[Callable[[], bool]], None]


class Scheduler:
    """Waits for the lease, runs the jobs while it holds it, waits again when it is lost."""

    def __init__(self, engine: Engine, jobs: Sequence[Job]) -> None:
        self._engine = engine
        self._jobs = jobs
        self._stopping = threading.Event()
        self._checked_at = time.monotonic()
        self.is_active = False

    def stop(self) -> None:
        """Ask `run` to return; safe from a signal handler."""
        self._stopping.set()

    def not_ready(self) -> str | None:
        """For `/readyz`: standing by is ready, an unreachable database is not."""
        silent = time.monotonic() - self._checked_at
        return f"PostgreSQL has not answered for {silent:.0f} s" if silent > 10 * LEASE_CHECK_SECONDS else None

    def run(self) -> None:
        """Blocks until `stop` is called."""
        while not self._stopping.is_set():
            try:
                with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    self._wait_and_work(connection)
            except SQLAlchemyError as error:
                log.warning("lease_unavailable", reason=str(error.__cause__ or error).strip())
                self._stopping.wait(STANDBY_SECONDS)

    def _wait_and_work(self, connection: Connection) -> None:
        """Until stopped, or until the connection breaks (raises)."""
        taken = False
        while not taken and not self._stopping.is_set():
            taken = bool(connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": SCHEDULER_LOCK}))
            self._checked_at = time.monotonic()
            if not taken:
                self._stopping.wait(STANDBY_SECONDS)
        if not taken:
            return
        try:
            with self._running_jobs():
                while not self._stopping.wait(LEASE_CHECK_SECONDS):
                    connection.execute(text("SELECT 1"))
                    self._checked_at = time.monotonic()
        except BaseException:
            connection.invalidate()  # never hand a session that may still hold the lock back to the pool
            raise
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": SCHEDULER_LOCK})

    @contextmanager
    def _running_jobs(self) -> Iterator[None]:
        is_cut_off = threading.Event()
        scheduler = BackgroundScheduler(
            timezone=UTC, executors={"default": ThreadPoolExecutor(max(1, len(self._jobs)))}
        )
        runs = [_Run(job, is_cut_off) for job in self._jobs]
        for run in runs:
            scheduler.add_job(
                run,
                "interval",
                seconds=run.job.every.total_seconds(),
                name=run.job.name,
                next_run_time=datetime.now(UTC),
                max_instances=1,
                coalesce=True,
                misfire_grace_time=None,
            )
        self.is_active = True
        IS_ACTIVE_SCHEDULER.set(1)
        log.info("scheduler_active", jobs=[job.name for job in self._jobs])
        scheduler.start()
        try:
            yield
        finally:
            is_cut_off.set()
            self.is_active = False
            IS_ACTIVE_SCHEDULER.set(0)
            scheduler.shutdown(wait=False)
            deadline = time.monotonic() + STOP_SECONDS
            for run in runs:
                run.idle.wait(max(0.0, deadline - time.monotonic()))
            log.info("scheduler_stopped")


class _Run:
    """One job's runs; `idle` is set between them."""

    def __init__(self, job: Job, is_cut_off: threading.Event) -> None:
        self.job = job
        self.idle = threading.Event()
        self.idle.set()
        self._is_cut_off = is_cut_off

    def __call__(self) -> None:
        if self._is_cut_off.is_set():
            return
        self.idle.clear()
        try:
            self.job.function(self._is_cut_off.is_set)
        except Exception:  # a job's failure is its own: the others go on, and it comes round again
            JOB_RUNS.labels(self.job.name, "failed").inc()
            log.exception("job_failed", job=self.job.name)
        else:
            JOB_RUNS.labels(self.job.name, "done").inc()
        finally:
            self.idle.set()
