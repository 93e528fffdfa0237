"""What a rule of a form would have fired, beside the rule of its name that holds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from fastapi import Request
from sqlalchemy import Connection

from alerts.detection.rules import Rule
from alerts.rulebook.laboratory import Trial, TrialIncident
from web import trial_chart
from web.laboratory import reserved, trial_of
from web.rendering import console_of

NEAR: Final = timedelta(hours=1)  # surges of one series that are no further apart are the same
WAIT_SECONDS: Final = 8.0  # for the trial of what was typed a moment ago

Side = Literal["both", "new", "holds"]
"""Which of the two finds an incident."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What a preview shows.

    Attributes:
        new: the rule of the form; `holds`: the one of its name that holds, None where there is none.
        incidents: of both, newest first.
    """

    new: Trial
    holds: Trial | None
    incidents: Sequence[tuple[TrialIncident, Side]]
    picture: trial_chart.Picture

    @property
    def is_unchanged(self) -> bool:
        """Whether the form says what holds already."""
        return self.new is self.holds


def try_beside(
    request: Request,
    connection: Connection,
    wanted: Rule,
    present: Rule | None,
    *,
    days: int,
    messages_per_week: float | None,
) -> Tried:
    """Replay both; with a budget, the wanted one at the least threshold that keeps it.

    Raises:
        ProblemError: 429; another trial is still at work.
    """
    with reserved(WAIT_SECONDS):
        new = trial_of(request, connection, wanted, days=days, messages_per_week=messages_per_week)
        if messages_per_week is not None:
            wanted = replace(wanted, sensitivity=None, threshold=new.threshold)
        holds = None
        if present is not None and present.is_enabled:
            is_same = present == replace(wanted, is_enabled=True)
            holds = new if is_same else trial_of(request, connection, present, days=days)
    picture = trial_chart.picture(connection, wanted, new, holds, console_of(request).zone)
    return Tried(new, holds, _side_by_side(new, holds), picture)


def _side_by_side(new: Trial, holds: Trial | None) -> list[tuple[TrialIncident, Side]]:
    others = list(holds.incidents) if holds and holds is not new else []
    found: list[tuple[TrialIncident, Side]] = []
    for one in new.incidents:
        same = next((other for other in others if _are_same(one, other)), None)
        if same is not None:
            others.remove(same)
        found.append((one, "both" if same is not None or holds is new else "new"))
    found += [(other, "holds") for other in others]
    return sorted(found, key=lambda pair: pair[0].starts_at, reverse=True)


def _are_same(one: TrialIncident, other: TrialIncident) -> bool:
    is_near = _is_before_end(one.starts_at, other) and _is_before_end(other.starts_at, one)
    return one.labels == other.labels and is_near


def _is_before_end(at: datetime, incident: TrialIncident) -> bool:
    return incident.ends_at is None or at <= incident.ends_at + NEAR
