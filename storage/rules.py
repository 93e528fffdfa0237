"""Rules as they are stored, each owned by the rules file or by people, and the history of their changes.

What a definition may say is not looked at here (`alerts.rulebook.entries`). Every change takes the next revision
while it holds one lock, so whoever has seen a revision has seen all before it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from core.errors import ConfigError, NotFoundError, UsageError
from storage.tables import rule, rule_change

CHANGE_LOCK: Final = 0x6F70_7272  # "oprr"
BY_FILE: Final = "rules file"

Definitions = Mapping[str, dict[str, Any]]
"""By name."""


class StoredRule(NamedTuple):
    """The columns of `rule`. A `definition` that somebody wrote by SQL may be unusable."""

    name: str
    definition: dict[str, Any]
    revision: int
    is_active: bool
    file: str | None
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str


class RuleChange(NamedTuple):
    """One line of a rule's history; `definition` None: it was removed."""

    revision: int
    name: str
    definition: dict[str, Any] | None
    file: str | None
    changed_at: datetime
    changed_by: str


_COLUMNS = [rule.c[name] for name in StoredRule._fields]


def newest_revision(connection: Connection) -> int:
    """Of all changes there have been; 0 before the first. One look-up in an index."""
    return int(connection.scalar(select(func.coalesce(func.max(rule.c.revision), 0))) or 0)


def active(connection: Connection) -> list[StoredRule]:
    """What people and the file have made, by name."""
    query = select(*_COLUMNS).where(rule.c.is_active).order_by(rule.c.name)
    return [StoredRule(*row) for row in connection.execute(query)]


def history(connection: Connection, name: str) -> list[RuleChange]:
    """Who made it what, newest first."""
    columns = [rule_change.c[field] for field in RuleChange._fields]
    query = select(*columns).where(rule_change.c.name == name).order_by(rule_change.c.revision.desc())
    return [RuleChange(*row) for row in connection.execute(query)]


def put(connection: Connection, wanted: Definitions, *, by: str, is_new: bool = False) -> list[str]:
    """Make these people's rules; the names of those that were not so already.

    Args:
        is_new: refuse names that are taken.

    Raises:
        UsageError: one is owned by the rules file, or was to be new and is not.
    """
    before = _lock(connection, list(wanted))
    for name in wanted:
        _refuse_files(before.get(name))
        if is_new and name in before and before[name].is_active:
            raise UsageError(f"there is a rule {name!r} already", remedy=f"opinion rules set {name!r}, to change it")
    changed = [name for name, definition in wanted.items() if not _is_as(before.get(name), definition, file=None)]
    _write(connection, {name: wanted[name] for name in changed}, file=None, by=by)
    return changed


def remove(connection: Connection, name: str, *, by: str, is_forced: bool = False) -> None:
    """Judge by it no longer.

    Args:
        is_forced: also if the rules file owns it; a scheduler that reads such a file brings it back.

    Raises:
        NotFoundError: no such rule is stored. UsageError: the rules file owns it.
    """
    before = _lock(connection, [name]).get(name)
    if before is None or not before.is_active:
        raise NotFoundError(f"nobody has made a rule {name!r}", remedy="opinion rules list")
    if not is_forced:
        _refuse_files(before)
    _retire(connection, [name], by=by)


def sync_file(connection: Connection, path: Path, wanted: Definitions) -> int:
    """Make these what the file owns: others that a file brought are retired. How many changed.

    Raises:
        ConfigError: people own a rule of such a name; nothing is changed.
    """
    before = _lock(connection)
    for name in wanted:
        there = before.get(name)
        if there is not None and there.is_active and there.file is None:
            raise ConfigError(
                f"the rule {name!r} is in {path}, and in the database, where {there.updated_by} put it on "
                f"{there.updated_at:%Y-%m-%d}",
                remedy=f"rename it in the file, or opinion rules remove {name!r}",
            )
    gone = [row.name for row in before.values() if row.is_active and row.file is not None and row.name not in wanted]
    changed = {name: new for name, new in wanted.items() if not _is_as(before.get(name), new, file=str(path))}
    _write(connection, changed, file=str(path), by=BY_FILE)
    _retire(connection, gone, by=BY_FILE)
    return len(changed) + len(gone)


def _lock(connection: Connection, names: Sequence[str] | None = None) -> dict[str, StoredRule]:
    """One change at a time until the transaction ends; returns what there is of these names, or of all."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": CHANGE_LOCK})
    query = select(*_COLUMNS)
    if names is not None:
        query = query.where(rule.c.name.in_(names))
    return {row.name: StoredRule(*row) for row in connection.execute(query)}


def _refuse_files(before: StoredRule | None) -> None:
    if before is not None and before.is_active and before.file is not None:
        raise UsageError(
            f"the rule {before.name!r} is owned by the file {before.file}",
            remedy="change it there, or take another name",
        )


def _is_as(before: StoredRule | None, definition: dict[str, Any], *, file: str | None) -> bool:
    return before is not None and before.is_active and before.file == file and before.definition == definition


def _write(connection: Connection, changed: Definitions, *, file: str | None, by: str) -> None:
    if not changed:
        return
    first = newest_revision(connection) + 1
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
    statement = insert(rule)
    new = {name: statement.excluded[name] for name in ("definition", "revision", "is_active", "file", "updated_by")}
    newer = {**new, "updated_at": func.clock_timestamp()}
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=newer), rows)
    _record(connection, first, changed, file=file, by=by)


def _retire(connection: Connection, names: Sequence[str], *, by: str) -> None:
    if not names:
        return
    first = newest_revision(connection) + 1
    for nth, name in enumerate(names):
        new = {"is_active": False, "revision": first + nth, "updated_by": by, "updated_at": func.clock_timestamp()}
        connection.execute(update(rule).where(rule.c.name == name).values(new))
    _record(connection, first, dict.fromkeys(names), file=None, by=by)


def _record(
    connection: Connection, first: int, changed: Mapping[str, dict[str, Any] | None], *, file: str | None, by: str
) -> None:
    lines = [
        {"revision": first + nth, "name": name, "definition": new, "file": file, "changed_by": by}
        for nth, (name, new) in enumerate(changed.items())
    ]
    connection.execute(insert(rule_change), lines)
