"""Rules as they are stored, each owned by the rules file or by people (`storage.owned_entries`), and the history of
their changes. What a definition may say is not looked at here (`alerts.rulebook.entries`).
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from storage.owned_entries import Definitions, OwnedEntries, StoredEntry
from storage.tables import rule, rule_change

CHANGE_LOCK: Final = 0x6F70_7272  # "oprr"
BY_FILE: Final = "rules file"

StoredRule = StoredEntry
"""The columns of `rule`."""


class RuleChange(NamedTuple):
    """One line of a rule's history; `definition` None: it was removed."""

    revision: int
    name: str
    definition: dict[str, Any] | None
    file: str | None
    changed_at: datetime
    changed_by: str


def _record(
    connection: Connection, first: int, changed: Mapping[str, dict[str, Any] | None], file: str | None, by: str
) -> None:
    lines = [
        {"revision": first + nth, "name": name, "definition": new, "file": file, "changed_by": by}
        for nth, (name, new) in enumerate(changed.items())
    ]
    connection.execute(insert(rule_change), lines)


_entries: Final = OwnedEntries(
    rule, CHANGE_LOCK, "rule", "rules", "nobody has made a rule", BY_FILE, "change it there", _record
)


def newest_revision(connection: Connection) -> int:
    """Of all changes there have been; 0 before the first. One look-up in an index."""
    return _entries.newest_revision(connection)


def active(connection: Connection) -> list[StoredRule]:
    """What people and the file have made, by name."""
    return _entries.active(connection)


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
    return _entries.put(connection, wanted, by=by, is_new=is_new)


def remove(connection: Connection, name: str, *, by: str, is_forced: bool = False) -> None:
    """Judge by it no longer.

    Args:
        is_forced: also if the rules file owns it; a scheduler that reads such a file brings it back.

    Raises:
        NotFoundError: no such rule is stored. UsageError: the rules file owns it.
    """
    _entries.remove(connection, name, by=by, is_forced=is_forced)


def sync_file(connection: Connection, path: Path, wanted: Definitions) -> int:
    """Make these what the file owns: others that a file brought are retired. How many changed.

    Raises:
        ConfigError: people own a rule of such a name; nothing is changed.
    """
    return _entries.sync_file(connection, path, wanted)
