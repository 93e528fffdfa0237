"""A silence as somebody is about to make it, and what it would mute."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from alerts.routing import silencing
from alerts.routing.matchers import Matcher
from core.errors import UsageError
from storage import incidents
from storage.incidents import IncidentRow

LENGTHS: Final = {
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "1d": timedelta(days=1),
    "3d": timedelta(days=3),
    "7d": timedelta(days=7),
}
USUAL: Final = "4h"
MOST_MATCHERS: Final = 20


@dataclass(frozen=True, slots=True)
class Draft:
    """What the form holds.

    Attributes:
        matchers: one a line.
        length: one of `LENGTHS`.
        until: a local time that goes before the length, as a browser's field gives it; empty: none.
    """

    matchers: str
    length: str = USUAL
    until: str = ""
    comment: str = ""

    @property
    def lines(self) -> list[str]:
        return [line.strip() for line in self.matchers.splitlines() if line.strip()]

    def ends_at(self, now: datetime, zone: ZoneInfo) -> datetime:
        """Raises UsageError where it is no time."""
        if not self.until:
            return now + LENGTHS.get(self.length, LENGTHS[USUAL])
        try:
            at = datetime.fromisoformat(self.until)
        except ValueError as error:
            raise UsageError(f"not a time: {self.until[:40]!r}", remedy="as 2026-03-10T18:00") from error
        return at if at.tzinfo else at.replace(tzinfo=zone)


@dataclass(frozen=True, slots=True)
class Preview:
    """Open incidents that it would mute, or why it cannot be made."""

    incidents: list[IncidentRow]
    error: str = ""


def draft_of(labels: Mapping[str, str], given: Mapping[str, str]) -> Draft:
    """The form: what was typed, else what names this series."""
    usual = "\n".join(str(Matcher(name, "=", value)) for name, value in labels.items())
    return Draft(
        given.get("match") or usual,
        given["for"] if given.get("for") in LENGTHS else USUAL,
        given.get("until") or "",
        given.get("why") or "",
    )


def preview(connection: Connection, draft: Draft) -> Preview:
    """What it would mute at this moment; changes nothing."""
    try:
        if len(draft.lines) > MOST_MATCHERS:
            raise UsageError(f"at most {MOST_MATCHERS} matchers")
        conditions = silencing.checked(draft.lines)
    except UsageError as error:
        return Preview([], error.message)
    return Preview(silencing.muted(conditions, incidents.firing(connection)))
