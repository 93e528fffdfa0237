"""The rules that hold now: those that are stored, and the default ones that none of them replaces by its name."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from alerts.detection.rules import DEFAULT_RULES, Rule
from alerts.rulebook.entries import definition_of, rule_of
from core.errors import NotFoundError, UsageError
from storage import rules
from storage.feedback import Precision
from storage.rules import StoredRule


@dataclass(frozen=True, slots=True)
class Rulebook:
    """What is judged by.

    Attributes:
        rules: by name, disabled ones too; the default ones first.
        stored: the rows of those that somebody made.
        unusable: by name, why a stored definition (written by SQL) says nothing.
    """

    rules: dict[str, Rule]
    stored: dict[str, StoredRule]
    unusable: dict[str, str]

    def rule(self, name: str) -> Rule:
        """Raises:
        NotFoundError: no such rule holds. UsageError: it cannot be used.
        """
        if name in self.unusable:
            raise UsageError(self.unusable[name], remedy=f"opinion rules set {name!r} makes it anew")
        if name not in self.rules:
            raise NotFoundError(f"no rule {name!r}", remedy="opinion rules list")
        return self.rules[name]

    @property
    def names(self) -> list[str]:
        return [*self.rules, *self.unusable]

    def owner(self, name: str) -> str:
        """Who says that it holds: a file, a person, or `default`."""
        row = self.stored.get(name)
        return "default" if row is None else row.file or row.updated_by

    def described(self, name: str, said: Precision) -> dict[str, Any]:
        """A rule for `--json` and the API, with how its incidents were taken."""
        row = self.stored.get(name)
        return {
            "name": name,
            "definition": row.definition if row is not None else definition_of(self.rules[name]),
            "enabled": name in self.rules and self.rules[name].is_enabled,
            "problem": self.unusable.get(name),
            "owner": self.owner(name),
            "updated_at": row.updated_at if row is not None else None,
            "incidents": said.incidents,
            "feedback": {"useful": said.useful, "late": said.late, "noise": said.noise},
            "precision": said.precision,
        }


def rulebook(connection: Connection) -> Rulebook:
    """Read it; a definition that cannot be used is left out, and never stops the others."""
    stored = {row.name: row for row in rules.active(connection)}
    found = {rule.name: rule for rule in DEFAULT_RULES}
    unusable = {}
    for name, row in stored.items():
        try:
            found[name] = rule_of(name, row.definition)
        except UsageError as error:
            unusable[name] = error.message
            found.pop(name, None)
    return Rulebook(found, stored, unusable)
