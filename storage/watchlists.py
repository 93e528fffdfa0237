"""What is watched: definitions in SQL, each owned by the watchlist file or by people.

Every change takes the next revision while it holds one lock, so whoever has seen a revision has seen all before it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from core.errors import ConfigError, NotFoundError, UsageError
from core.watchlist_entries import definition_of
from core.watchlists import Watchlist
from storage.tables import watchlist

CHANGE_LOCK: Final = 0x6F70_7077  # "oppw"
BY_FILE: Final = "watchlist file"


class StoredWatchlist(NamedTuple):
    """The columns of `watchlist`. A `definition` that somebody wrote by SQL may be unusable."""

    name: str
    definition: dict[str, Any]
    revision: int
    is_active: bool
    file: str | None
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str


_COLUMNS = [watchlist.c[name] for name in StoredWatchlist._fields]


def newest_revision(connection: Connection) -> int:
    """Of all changes there have been; 0 before the first. One look-up in an index."""
    return int(connection.scalar(select(func.coalesce(func.max(watchlist.c.revision), 0))) or 0)


def changed_after(connection: Connection, revision: int) -> list[StoredWatchlist]:
    """What was added, changed or removed since, in the order of the changes."""
    query = select(*_COLUMNS).where(watchlist.c.revision > revision).order_by(watchlist.c.revision)
    return [StoredWatchlist(*row) for row in connection.execute(query)]


def active(connection: Connection) -> list[StoredWatchlist]:
    """What is watched now, by name."""
    query = select(*_COLUMNS).where(watchlist.c.is_active).order_by(watchlist.c.name)
    return [StoredWatchlist(*row) for row in connection.execute(query)]


def names(connection: Connection, limit: int) -> list[str]:
    """The first names of what is watched now."""
    query = select(watchlist.c.name).where(watchlist.c.is_active).order_by(watchlist.c.name).limit(limit)
    return list(connection.scalars(query))


def some(connection: Connection, names: Sequence[str]) -> list[StoredWatchlist]:
    """Those of these names that are watched now, by name."""
    query = select(*_COLUMNS).where(watchlist.c.is_active, watchlist.c.name.in_(names))
    return [StoredWatchlist(*row) for row in connection.execute(query.order_by(watchlist.c.name))]


def one(connection: Connection, name: str) -> StoredWatchlist:
    """Raises:
    NotFoundError: no such watchlist is active.
    """
    query = select(*_COLUMNS).where(watchlist.c.name == name, watchlist.c.is_active)
    if (row := connection.execute(query).first()) is None:
        raise NotFoundError(f"no watchlist {name!r}", remedy="opinion watch list")
    return StoredWatchlist(*row)


def put(connection: Connection, wanted: Iterable[Watchlist], *, by: str) -> list[str]:
    """Make these people's watchlists; the names of those that were not so already.

    Raises:
        UsageError: one is owned by the watchlist file.
    """
    wanted = list(wanted)
    before = _lock(connection, [one.name for one in wanted])
    for one in wanted:
        _refuse_files(before.get(one.name))
    changed = [one for one in wanted if not _is_as(before.get(one.name), one, file=None)]
    _write(connection, changed, file=None, by=by)
    return [one.name for one in changed]


def remove(connection: Connection, name: str, *, by: str, is_forced: bool = False) -> None:
    """Watch it no longer; its row, and what was counted for it, stays.

    Args:
        is_forced: also if the watchlist file owns it; a worker that starts with such a file brings it back.

    Raises:
        NotFoundError: no such watchlist is active. UsageError: the watchlist file owns it.
    """
    before = _lock(connection, [name]).get(name)
    if before is None or not before.is_active:
        raise NotFoundError(f"no watchlist {name!r}", remedy="opinion watch list")
    if not is_forced:
        _refuse_files(before)
    _retire(connection, [name], by=by)


def sync_file(connection: Connection, path: Path, entries: Iterable[Watchlist]) -> int:
    """Make the file's entries what the file owns: others that a file brought are retired. How many changed.

    Raises:
        ConfigError: people own an entry of that name; nothing is changed.
    """
    entries = list(entries)
    before = _lock(connection)
    for entry in entries:
        there = before.get(entry.name)
        if there is not None and there.is_active and there.file is None:
            raise ConfigError(
                f"the watchlist {entry.name!r} is in {path}, and in the database, where {there.updated_by} put it on "
                f"{there.updated_at:%Y-%m-%d}",
                remedy=f"rename it in the file, or opinion watch remove {entry.name!r}",
            )
    names = {entry.name for entry in entries}
    gone = [row.name for row in before.values() if row.is_active and row.file is not None and row.name not in names]
    changed = [entry for entry in entries if not _is_as(before.get(entry.name), entry, file=str(path))]
    _write(connection, changed, file=str(path), by=BY_FILE)
    _retire(connection, gone, by=BY_FILE)
    return len(changed) + len(gone)


def _lock(connection: Connection, names: Sequence[str] | None = None) -> dict[str, StoredWatchlist]:
    """One change at a time until the transaction ends; returns what there is of these names, or of all."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": CHANGE_LOCK})
    query = select(*_COLUMNS)
    if names is not None:
        query = query.where(watchlist.c.name.in_(names))
    return {row.name: StoredWatchlist(*row) for row in connection.execute(query)}


def _refuse_files(before: StoredWatchlist | None) -> None:
    if before is not None and before.is_active and before.file is not None:
        raise UsageError(
            f"the watchlist {before.name!r} is owned by the file {before.file}",
            remedy="change it there and restart a worker, or take another name",
        )


def _is_as(before: StoredWatchlist | None, wanted: Watchlist, *, file: str | None) -> bool:
    if before is None or not before.is_active or before.file != file:
        return False
    return before.definition == definition_of(wanted)


def _write(connection: Connection, changed: Iterable[Watchlist], *, file: str | None, by: str) -> None:
    revision = newest_revision(connection)
    rows: list[Mapping[str, Any]] = [
        {
            "name": one.name,
            "definition": definition_of(one),
            "revision": revision + nth,
            "is_active": True,
            "file": file,
            "created_by": by,
            "updated_by": by,
        }
        for nth, one in enumerate(changed, start=1)
    ]
    if not rows:
        return
    statement = insert(watchlist)
    new = {name: statement.excluded[name] for name in ("definition", "revision", "is_active", "file", "updated_by")}
    newer = {**new, "updated_at": func.clock_timestamp()}
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=newer), rows)


def _retire(connection: Connection, names: Iterable[str], *, by: str) -> None:
    for nth, name in enumerate(names, start=newest_revision(connection) + 1):
        new = {"is_active": False, "revision": nth, "updated_by": by, "updated_at": func.clock_timestamp()}
        connection.execute(update(watchlist).where(watchlist.c.name == name).values(new))
