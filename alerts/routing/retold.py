"""Who would have heard of past incidents by one subscription, as they stood when they were found. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from alerts.routing.dry_run import Answer, Circumstances, who
from alerts.routing.subscriptions import Subscription
from storage.incidents import IncidentRow
from storage.notifications import Channel
from storage.silences import SilenceRow


@dataclass(frozen=True, slots=True)
class Retold:
    """One incident, and what the subscription would have meant for each of its receivers."""

    incident: IncidentRow
    at: datetime
    answers: Sequence[Answer]


def retold(
    rows: Sequence[IncidentRow],
    subscription: Subscription,
    receivers: Sequence[tuple[Channel, str]],
    silences: Sequence[SilenceRow],
) -> list[Retold]:
    """The dry run for each of these, at the moment it was found, with the silences of that moment; nobody had
    acknowledged it or heard of anything then."""
    found = []
    for row in rows:
        at = row.opened_at or row.detected_at
        others = [_as_found(one) for one in rows if one.id != row.id and _was_open(one, at)]
        in_force = [one for one in silences if one.starts_at <= at < one.ends_at]
        given = Circumstances(receivers, [subscription], in_force, others, {}, at)
        answers = [one for one in who(_as_found(row), given) if one.subscription == subscription.name]
        found.append(Retold(row, at, answers))
    return found


def _as_found(row: IncidentRow) -> IncidentRow:
    return replace(
        row, status="firing", ends_at=None, acknowledged_at=None, acknowledged_by=None, is_pending=False,
        closed_at=None, closed_by=None, closed_score=None, over_at=None, told=None,
    )  # fmt: skip


def _was_open(row: IncidentRow, at: datetime) -> bool:
    began, ended = row.opened_at or row.detected_at, row.over_at or row.closed_at or row.ends_at
    return began <= at and (ended is None or ended > at)
