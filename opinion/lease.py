"""The right to run the jobs, which one scheduler of several has at a time: waited for, kept fresh, lost, given back.

A holder that dies loses it within a second, and one that is frozen or cut off within `SILENT` and a little: then a
scheduler that stands by ends its sessions. It is told by the next statement; until then, its own clock tells it.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final
from uuid import uuid4

from sqlalchemy import Connection, Engine

from core.errors import OpinionError
from core.logs import get_logger
from core.metrics import SILENT_HOLDERS
from storage import scheduler_lease

BEAT_SECONDS: Final = 1.0
STANDBY_SECONDS: Final = 1.0
SILENT: Final = timedelta(seconds=10)  # a database that stalls for a moment must not cost the lease

log = get_logger(__name__)


class LeaseLostError(OpinionError):
    """Another scheduler has the lease."""


class Lease:
    """One scheduler's lease. `run_while_held` and `beat` belong to one thread; the rest may be asked by any.

    Attributes:
        holder: the name under which this scheduler's sessions and its row are known.
    """

    def __init__(self, engine: Engine) -> None:
        """Args:
        engine: of this scheduler and its jobs alone, not used yet; its sessions are named after the holder.
        """
        self.holder = f"opinion-scheduler-{uuid4().hex[:12]}"
        self._engine = engine
        self._heard_at = time.monotonic()
        scheduler_lease.name_sessions(engine, self.holder)

    @property
    def silent_seconds(self) -> float:
        """How long ago the database last answered."""
        return time.monotonic() - self._heard_at

    @property
    def is_stale(self) -> bool:
        """Others may have taken the lease by now, though nobody has told us: this process was frozen, or cut off."""
        return self.silent_seconds >= SILENT.total_seconds()

    @contextmanager
    def session(self) -> Iterator["LeaseSession"]:
        """A session to wait for the lease in, and to hold it by; it is closed at the end, and the lease with it.

        Raises:
            SQLAlchemyError: the database is away.
        """
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.detach()  # never goes back to the pool, where it might still hold the lock
            scheduler_lease.prepare(connection)
            yield LeaseSession(self, connection)

    def heard(self) -> None:
        """The database has answered."""
        self._heard_at = time.monotonic()


class LeaseSession:
    """One attempt to get and hold the lease. Everything raises SQLAlchemyError when the session is lost."""

    def __init__(self, lease: Lease, connection: Connection) -> None:
        self._lease = lease
        self._connection = connection
        self._term = 0

    def wait(self, stopping: threading.Event) -> int | None:
        """Block until the lease is ours.

        Returns:
            The number of the term that begins, or None when `stopping` was set before.
        """
        while not stopping.is_set():
            if scheduler_lease.try_lock(self._connection):
                return self._take()
            self._end_silent_holder()
            self._lease.heard()
            stopping.wait(STANDBY_SECONDS)
        return None

    def beat(self) -> None:
        """Show that we are alive.

        Raises:
            LeaseLostError: another term has begun.
        """
        if not scheduler_lease.beat(self._connection, self._term):
            raise LeaseLostError
        self._lease.heard()

    def let_go(self) -> None:
        """Our jobs have stopped; the next holder need not end our sessions."""
        scheduler_lease.let_go(self._connection, self._term)

    def _take(self) -> int:
        taken = scheduler_lease.take(self._connection, self._lease.holder)
        self._term = taken.term
        if taken.previous not in (scheduler_lease.NOBODY, self._lease.holder):
            # It lost the session that held the lock, but others of its sessions may be at work still.
            scheduler_lease.end_sessions(self._connection, taken.previous)
        self._lease.heard()
        return taken.term

    def _end_silent_holder(self) -> None:
        holder = scheduler_lease.silent_holder(self._connection, SILENT)
        if holder is None:
            return
        sessions = scheduler_lease.end_sessions(self._connection, holder)
        scheduler_lease.end_lock_session(self._connection)
        SILENT_HOLDERS.inc()
        log.warning("silent_holder_ended", holder=holder, sessions=sessions, silent_seconds=SILENT.total_seconds())
