"""Which scheduler is the active one: an advisory lock of its session, and a row that it keeps fresh.

The lock falls free the moment its holder's session ends. The row shows what the lock cannot: a holder that is frozen
or cut off keeps its session, but not its row. All sessions of a scheduler carry its name, so that its successor can
end them: what they had not committed is rolled back, and locks that they held are free.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, event, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert

from storage.tables import scheduler_lease

SCHEDULER_LOCK: Final = 0x0B1A1057  # advisory lock of the active scheduler; any constant unique to this product
NOBODY: Final = ""
ONLY: Final = "scheduler"  # the key of the one row
STATEMENT_TIMEOUT: Final = timedelta(seconds=5)  # of the lease's own small statements


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lease, since when, and its last sign of life."""

    name: str
    taken_at: datetime
    beat_at: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    """The lease as it was taken; `previous` is the holder before, `NOBODY` if it had let go."""

    term: int
    previous: str


def name_sessions(engine: Engine, holder: str) -> None:
    """Let every session that this engine opens from now on carry the scheduler's name."""

    @event.listens_for(engine, "do_connect")
    def _name(_dialect: Any, _record: Any, _arguments: Any, parameters: dict[str, Any]) -> None:
        parameters["application_name"] = holder


def prepare(connection: Connection) -> None:
    """Make a session fit to hold the lease: it waits for nothing for long, and the server notices a lost client."""
    connection.execute(
        text("""
            SELECT set_config('statement_timeout', :timeout, false), set_config('tcp_keepalives_idle', '5', false),
                   set_config('tcp_keepalives_interval', '2', false), set_config('tcp_keepalives_count', '3', false)
        """),
        {"timeout": f"{STATEMENT_TIMEOUT.total_seconds():.0f}s"},
    )


def try_lock(connection: Connection) -> bool:
    """Take the lock if it is free; it is this session's until that ends."""
    return bool(connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": SCHEDULER_LOCK}))


def take(connection: Connection, holder: str) -> Taken:
    """Write the row: a new term begins. Only for the session that holds the lock."""
    previous = connection.scalar(select(scheduler_lease.c.holder)) or NOBODY
    now = func.clock_timestamp()
    statement = insert(scheduler_lease).values(lease=ONLY, holder=holder, term=1, taken_at=now, beat_at=now)
    term = connection.scalar(
        statement.on_conflict_do_update(
            index_elements=[scheduler_lease.c.lease],
            set_={
                "holder": holder,
                "term": scheduler_lease.c.term + 1,
                "taken_at": statement.excluded.taken_at,
                "beat_at": statement.excluded.beat_at,
            },
        ).returning(scheduler_lease.c.term)
    )
    return Taken(int(term or 0), previous)


def beat(connection: Connection, term: int) -> bool:
    """Keep the row fresh; False when another term has begun."""
    beaten = connection.execute(
        update(scheduler_lease).where(scheduler_lease.c.term == term).values(beat_at=func.clock_timestamp())
    )
    return bool(beaten.rowcount)


def let_go(connection: Connection, term: int) -> None:
    """Note that the holder has stopped its jobs by itself."""
    connection.execute(update(scheduler_lease).where(scheduler_lease.c.term == term).values(holder=NOBODY))


def holder(connection: Connection) -> Holder | None:
    """The active scheduler; None: there is none."""
    row = connection.execute(
        select(scheduler_lease.c.holder, scheduler_lease.c.taken_at, scheduler_lease.c.beat_at).where(
            scheduler_lease.c.holder != NOBODY
        )
    ).first()
    return Holder(*row) if row is not None else None


def silent_holder(connection: Connection, silence: timedelta) -> str | None:
    """Who holds the lease and has let its row go stale, by the database's clock."""
    return connection.scalar(
        select(scheduler_lease.c.holder).where(scheduler_lease.c.beat_at < func.clock_timestamp() - literal(silence))
    )


def end_sessions(connection: Connection, holder: str) -> int:
    """End every session of that scheduler.

    Returns:
        How many there were.
    """
    if holder == NOBODY:  # sessions without a name are not ours
        return 0
    ended = connection.execute(
        text("""
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE application_name = :holder AND pid <> pg_backend_pid()
              AND datname = current_database() AND usename = current_user
        """),
        {"holder": holder},
    )
    return len(ended.all())


def end_lock_session(connection: Connection) -> None:
    """End the session that holds the lock, whoever it is: it may have been frozen before it wrote the row."""
    connection.execute(
        text("""
            SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity AS a JOIN pg_locks AS l USING (pid)
            WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 0 AND l.objid = :key
              AND a.pid <> pg_backend_pid() AND a.datname = current_database() AND a.usename = current_user
        """),
        {"key": SCHEDULER_LOCK},
    )
