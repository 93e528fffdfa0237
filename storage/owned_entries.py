"""Definitions by name in SQL, each owned by a file or by people: what watchlists and rules have in common.

What a definition may say is not looked at here. Every change takes the next revision while it holds one lock, so
whoever has seen a revision has seen all before it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from core.errors import ConfigError, NotFoundError, UsageError

Definitions = Mapping[str, dict[str, Any]]
"""By name."""

Record = Callable[[Connection, int, Mapping[str, dict[str, Any] | None], str | None, str], None]
"""Told of each change: the first revision, the new definitions (None: removed), the file and who did it."""


class StoredEntry(NamedTuple):
    """The columns of such a table. A `definition` that somebody wrote by SQL may be unusable."""

    name: str
    definition: dict[str, Any]
    revision: int
    is_active: bool
    file: str | None
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str


def _unrecorded(
    connection: Connection, first: int, changed: Mapping[str, dict[str, Any] | None], file: str | None, by: str
) -> None:
    pass


@dataclass(frozen=True)
class OwnedEntries:
    """One such table.

    Attributes:
        noun, commands: of an entry: `a rule` is listed by `opinion rules list`.
        missing: what is said where there is none of a name.
        by_file: who did it when the file did.
        elsewhere: what to do about an entry that the file owns.
    """

    table: Table
    lock: int
    noun: str
    commands: str
    missing: str
    by_file: str
    elsewhere: str
    record: Record = _unrecorded

    def newest_revision(self, connection: Connection) -> int:
        """Of all changes there have been; 0 before the first. One look-up in an index."""
        return int(connection.scalar(select(func.coalesce(func.max(self.table.c.revision), 0))) or 0)

    def rows(self, connection: Connection, *where: ColumnElement[bool], by: str = "name") -> list[StoredEntry]:
        """Those that meet all conditions, in the order of this column."""
        columns = [self.table.c[name] for name in StoredEntry._fields]
        query = select(*columns).where(*where).order_by(self.table.c[by])
        return [StoredEntry(*row) for row in connection.execute(query)]

    def active(self, connection: Connection) -> list[StoredEntry]:
        """What holds now, by name."""
        return self.rows(connection, self.table.c.is_active)

    def put(self, connection: Connection, wanted: Definitions, *, by: str, is_new: bool = False) -> list[str]:
        """Make these people's; the names of those that were not so already.

        Args:
            is_new: refuse names that are taken.

        Raises:
            UsageError: one is owned by the file, or was to be new and is not.
        """
        before = self._lock(connection, list(wanted))
        for name in wanted:
            self._refuse_files(before.get(name))
            if is_new and name in before and before[name].is_active:
                raise UsageError(
                    f"there is a {self.noun} {name!r} already",
                    remedy=f"opinion {self.commands} set {name!r}, to change it",
                )
        changed = [name for name, new in wanted.items() if not _is_as(before.get(name), new, file=None)]
        self._write(connection, {name: wanted[name] for name in changed}, file=None, by=by)
        return changed

    def remove(self, connection: Connection, name: str, *, by: str, is_forced: bool = False) -> None:
        """It holds no longer; its row stays.

        Args:
            is_forced: also if the file owns it; whoever reads such a file brings it back.

        Raises:
            NotFoundError: no such entry is active. UsageError: the file owns it.
        """
        before = self._lock(connection, [name]).get(name)
        if before is None or not before.is_active:
            raise self.not_found(name)
        if not is_forced:
            self._refuse_files(before)
        self._retire(connection, [name], by=by)

    def sync_file(self, connection: Connection, path: Path, wanted: Definitions) -> int:
        """Make these what the file owns: others that a file brought are retired. How many changed.

        Raises:
            ConfigError: people own an entry of such a name; nothing is changed.
        """
        before = self._lock(connection)
        for name in wanted:
            there = before.get(name)
            if there is not None and there.is_active and there.file is None:
                raise ConfigError(
                    f"the {self.noun} {name!r} is in {path}, and in the database, where {there.updated_by} put it "
                    f"on {there.updated_at:%Y-%m-%d}",
                    remedy=f"rename it in the file, or opinion {self.commands} remove {name!r}",
                )
        gone = [
            row.name for row in before.values() if row.is_active and row.file is not None and row.name not in wanted
        ]
        changed = {name: new for name, new in wanted.items() if not _is_as(before.get(name), new, file=str(path))}
        self._write(connection, changed, file=str(path), by=self.by_file)
        self._retire(connection, gone, by=self.by_file)
        return len(changed) + len(gone)

    def not_found(self, name: str) -> NotFoundError:
        """What to raise where there is none of this name."""
        return NotFoundError(f"{self.missing} {name!r}", remedy=f"opinion {self.commands} list")

    def _lock(self, connection: Connection, names: Sequence[str] | None = None) -> dict[str, StoredEntry]:
        """One change at a time until the transaction ends; returns what there is of these names, or of all."""
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": self.lock})
        where = () if names is None else (self.table.c.name.in_(names),)
        return {row.name: row for row in self.rows(connection, *where)}

    def _refuse_files(self, before: StoredEntry | None) -> None:
        if before is not None and before.is_active and before.file is not None:
            raise UsageError(
                f"the {self.noun} {before.name!r} is owned by the file {before.file}",
                remedy=f"{self.elsewhere}, or take another name",
            )

    def _write(self, connection: Connection, changed: Definitions, *, file: str | None, by: str) -> None:
        if not changed:
            return
        first = self.newest_revision(connection) + 1
        rows: list[Mapping[str, Any]] = [
            {
                "name": name,
                "definition": definition,
                "revision": first + nth,
                "is_active": True,
                "file": file,
                "created_by": by,
                "updated_by": by,
            }
            for nth, (name, definition) in enumerate(changed.items())
        ]
        statement = insert(self.table)
        new = {
            name: statement.excluded[name] for name in ("definition", "revision", "is_active", "file", "updated_by")
        }
        newer = {**new, "updated_at": func.clock_timestamp()}
        connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=newer), rows)
        self.record(connection, first, changed, file, by)

    def _retire(self, connection: Connection, names: Sequence[str], *, by: str) -> None:
        if not names:
            return
        first = self.newest_revision(connection) + 1
        for nth, name in enumerate(names):
            new = {
                "is_active": False, "revision": first + nth, "updated_by": by, "updated_at": func.clock_timestamp(),
            }  # fmt: skip
            connection.execute(update(self.table).where(self.table.c.name == name).values(new))
        self.record(connection, first, dict.fromkeys(names), None, by)


def _is_as(before: StoredEntry | None, definition: dict[str, Any], *, file: str | None) -> bool:
    return before is not None and before.is_active and before.file == file and before.definition == definition
