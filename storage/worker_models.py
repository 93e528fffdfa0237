"""Which model each worker runs, as the workers say themselves every few seconds."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from storage.tables import worker_model

GONE: Final = timedelta(minutes=1)  # four reports that did not come
FORGOTTEN: Final = timedelta(days=1)


class WorkerModel(NamedTuple):
    """One worker. `wanted` is what it was told to use; `error` is why it cannot, None while it can."""

    worker: str
    version: str
    wanted: str
    error: str | None
    changed_at: datetime
    seen_at: datetime

    @property
    def is_behind(self) -> bool:
        return self.version != self.wanted


def report(connection: Connection, worker: str, *, version: str, wanted: str, error: str | None) -> None:
    """Say what a worker runs now; rows of workers that are long gone are taken away."""
    t = worker_model
    now = func.clock_timestamp()
    connection.execute(delete(t).where(t.c.seen_at < now - FORGOTTEN))
    new = {"worker": worker, "version": version, "wanted": wanted, "error": error}
    statement = insert(t).values(new | {"changed_at": now, "seen_at": now})
    changed = statement.on_conflict_do_update(
        index_elements=["worker"], set_=new | {"changed_at": now, "seen_at": now}, where=t.c.version != version
    )
    connection.execute(changed)
    connection.execute(t.update().where(t.c.worker == worker).values(new | {"seen_at": now}))


def alive(connection: Connection) -> list[WorkerModel]:
    """The workers that have been seen lately, by name."""
    t = worker_model.c
    columns = [t[name] for name in WorkerModel._fields]
    query = select(*columns).where(t.seen_at >= func.clock_timestamp() - GONE).order_by(t.worker)
    return [WorkerModel(*row) for row in connection.execute(query)]
