"""When each job that comes round rarely last began: the cursor that outlives every scheduler."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from storage.tables import scheduler_job


def start(connection: Connection, job: str, *, term: int, every: timedelta, again: timedelta) -> bool:
    """Begin a run if one is due, by the database's clock; only one caller is told so.

    A run is due when `every` has passed since the last one began, however often that was missed. One that did not end
    in its scheduler's term is due again `again` after it began.

    Args:
        term: of the caller's lease; a scheduler of an earlier term begins nothing any more.
    """
    now = func.clock_timestamp()
    statement = insert(scheduler_job).values(job=job, term=term, started_at=now)
    known = scheduler_job.c
    is_cut_off = and_(known.finished_at.is_(None), known.term < term, known.started_at <= now - literal(again))
    begun = connection.execute(
        statement.on_conflict_do_update(
            index_elements=[known.job],
            set_={"term": term, "started_at": statement.excluded.started_at, "finished_at": None},
            where=and_(known.term <= term, or_(known.started_at <= now - literal(every), is_cut_off)),
        ).returning(known.job)
    )
    return begun.first() is not None


def finish(connection: Connection, job: str, *, term: int) -> None:
    """The run that was begun in this term has ended, well or not."""
    connection.execute(
        update(scheduler_job)
        .where(scheduler_job.c.job == job, scheduler_job.c.term == term)
        .values(finished_at=func.clock_timestamp())
    )


def finished(connection: Connection) -> dict[str, datetime]:
    """By job: when its last run ended; one that is under way or was cut off is left out."""
    rows = connection.execute(
        select(scheduler_job.c.job, scheduler_job.c.finished_at).where(scheduler_job.c.finished_at.is_not(None))
    )
    return {row.job: row.finished_at for row in rows}
