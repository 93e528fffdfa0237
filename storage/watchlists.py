"""What is watched: definitions in SQL, each owned by the watchlist file or by people (`storage.owned_entries`)."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from core.watchlist_entries import definition_of
from core.watchlists import Watchlist
from storage.owned_entries import OwnedEntries, StoredEntry
from storage.tables import watchlist

CHANGE_LOCK: Final = 0x6F70_7077  # "oppw"
BY_FILE: Final = "watchlist file"

StoredWatchlist = StoredEntry
"""The columns of `watchlist`."""

_entries: Final = OwnedEntries(
    watchlist, CHANGE_LOCK, "watchlist", "watch", "no watchlist", BY_FILE, "change it there and restart a worker"
)


def newest_revision(connection: Connection) -> int:
    """Of all changes there have been; 0 before the first. One look-up in an index."""
    return _entries.newest_revision(connection)


def changed_after(connection: Connection, revision: int) -> list[StoredWatchlist]:
    """What was added, changed or removed since, in the order of the changes."""
    return _entries.rows(connection, watchlist.c.revision > revision, by="revision")


def active(connection: Connection) -> list[StoredWatchlist]:
    """What is watched now, by name."""
    return _entries.active(connection)


def some(connection: Connection, names: Sequence[str]) -> list[StoredWatchlist]:
    """Those of these names that are watched now, by name."""
    return _entries.rows(connection, watchlist.c.is_active, watchlist.c.name.in_(names))


def one(connection: Connection, name: str) -> StoredWatchlist:
    """Raises:
    NotFoundError: no such watchlist is active.
    """
    found = some(connection, [name])
    if not found:
        raise _entries.not_found(name)
    return found[0]


def put(connection: Connection, wanted: Iterable[Watchlist], *, by: str) -> list[str]:
    """Make these people's watchlists; the names of those that were not so already.

    Raises:
        UsageError: one is owned by the watchlist file.
    """
    return _entries.put(connection, {one.name: definition_of(one) for one in wanted}, by=by)


def remove(connection: Connection, name: str, *, by: str, is_forced: bool = False) -> None:
    """Watch it no longer; its row, and what was counted for it, stays.

    Args:
        is_forced: also if the watchlist file owns it; a worker that starts with such a file brings it back.

    Raises:
        NotFoundError: no such watchlist is active. UsageError: the watchlist file owns it.
    """
    _entries.remove(connection, name, by=by, is_forced=is_forced)


def sync_file(connection: Connection, path: Path, entries: Iterable[Watchlist]) -> int:
    """Make the file's entries what the file owns: others that a file brought are retired. How many changed.

    Raises:
        ConfigError: people own an entry of that name; nothing is changed.
    """
    return _entries.sync_file(connection, path, {one.name: definition_of(one) for one in entries})
