"""Who changed a rule from what to what."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from alerts.rulebook.entries import RuleDefinition
from storage import rules
from storage.rules import RuleChange


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a rule's history; `fields`: what was otherwise before, and what it was made."""

    line: RuleChange
    fields: Sequence[tuple[str, Any, Any]]


def changes_of(connection: Connection, name: str) -> list[Change]:
    """Newest first; empty for a rule that nobody changed."""
    found = rules.history(connection, name) if name else []
    before: list[Any] = [one.definition for one in found[1:]] + [None]
    return [Change(one, _difference(old, one.definition)) for one, old in zip(found, before, strict=False)]


def _difference(before: Any, after: Any) -> list[tuple[str, Any, Any]]:
    old, new = (one if isinstance(one, dict) else {} for one in (before, after))
    names = [name for name in RuleDefinition.model_fields if name in old or name in new]
    return [(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]
