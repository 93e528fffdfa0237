"""How the scheduler's jobs have been doing, for people to look at; written by the active scheduler now and then."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from storage.tables import job_run

MOST_ERROR_CHARS = 500


@dataclass(frozen=True, slots=True)
class JobRun:
    """A job's latest run, and how many there were since its scheduler started.

    Attributes:
        every_seconds: how often it comes round.
        finished_at: None while it is under way.
        outcome: done, failed or cut_off; of the latest run that ended.
        seconds: how long that took.
        error, failed_at: of the latest run that failed since then.
    """

    job: str
    every_seconds: float
    started_at: datetime
    finished_at: datetime | None = None
    outcome: str | None = None
    seconds: float | None = None
    runs: int = 0
    failures: int = 0
    error: str | None = None
    failed_at: datetime | None = None


def keep(connection: Connection, runs: Iterable[JobRun]) -> None:
    """Write how these jobs stand, each in the place of what was known of it."""
    rows = [
        {name: getattr(run, name) for name in JobRun.__dataclass_fields__}
        for run in sorted(runs, key=lambda run: run.job)
    ]
    if rows:
        statement = insert(job_run)
        newer = {name: statement.excluded[name] for name in rows[0] if name != "job"}
        connection.execute(statement.on_conflict_do_update(index_elements=[job_run.c.job], set_=newer), rows)


def known(connection: Connection) -> Sequence[JobRun]:
    """Of every job that a scheduler has ever begun, by name."""
    columns = [job_run.c[name] for name in JobRun.__dataclass_fields__]
    return [JobRun(**row._mapping) for row in connection.execute(select(*columns).order_by(job_run.c.job))]
