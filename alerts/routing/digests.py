"""Digests: what happened in a day, in a week, or while it was quiet, as one message. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from alerts.routing.grouping import importance
from alerts.routing.matchers import all_match
from alerts.routing.quiet_hours import latest_slot
from alerts.routing.rollup import RANK
from alerts.routing.silencing import labels_of
from alerts.routing.subscriptions import Subscription
from storage.incidents import IncidentRow
from storage.subscriptions import Period

TOP = 5
Why = Literal["held", "daily", "weekly"]
LENGTHS: Mapping[Period, timedelta] = {"daily": timedelta(days=1), "weekly": timedelta(days=7)}


@dataclass(frozen=True, slots=True)
class Digest:
    """Figures of a stretch of the wall clock.

    Attributes:
        why: a day's, a week's, or what quiet hours held back.
        subscription: its name.
        since, until: in the time zone of the subscription.
        began, ended: incidents that did in the stretch, by severity.
        top: the worst that began in it, whether over or not; of held ones, those that are over.
        still_open: what fires at its end and nobody has resolved, the worst first.
    """

    why: Why
    subscription: str
    since: datetime
    until: datetime
    began: Mapping[str, int]
    ended: Mapping[str, int]
    top: Sequence[IncidentRow]
    still_open: Sequence[IncidentRow]

    @property
    def members(self) -> list[IncidentRow]:
        """Every incident that is named, once."""
        return list({one.id: one for one in (*self.still_open, *self.top)}.values())


def due(
    subscription: Subscription, made: Mapping[tuple[str, str], datetime], now: datetime
) -> list[tuple[Period, datetime, datetime | None]]:
    """The digests whose time has come: period, when it was to come, and up to when the one before was made.

    None stands for a period that is seen for the first time: it begins now and tells nothing yet. After a pause of
    the scheduler one digest covers all of it.
    """
    found: list[tuple[Period, datetime, datetime | None]] = []
    zone = subscription.quiet.zone
    slots: list[tuple[Period, datetime]] = []
    if subscription.daily is not None:
        slots.append(("daily", latest_slot(now, zone, subscription.daily)))
    if subscription.weekly is not None:
        day, at = subscription.weekly
        slots.append(("weekly", latest_slot(now, zone, at, day)))
    for period, slot in slots:
        before = made.get((subscription.name, period))
        if before is None or before < slot:
            found.append((period, slot, before))
    return found


def digest(
    subscription: Subscription, why: Why, since: datetime, until: datetime, rows: Sequence[IncidentRow]
) -> Digest:
    """The digest of what the subscription is about, out of the incidents that were open in the stretch."""
    wanted = [
        row
        for row in rows
        if not row.is_pending
        and all_match(subscription.conditions, labels_of(row))
        and RANK[row.severity] >= RANK[subscription.min_severity]
    ]
    new = [row for row in wanted if row.opened_at is not None and since <= row.opened_at < until]
    over = [row for row in wanted if row.state == "resolved" and _is_within(_over_at(row), since, until)]
    zone = subscription.quiet.zone
    return Digest(
        why,
        subscription.name,
        since.astimezone(zone),
        until.astimezone(zone),
        Counter(row.severity for row in new),
        Counter(row.severity for row in over),
        sorted(new, key=importance, reverse=True)[:TOP],
        sorted((row for row in wanted if row.state != "resolved"), key=importance, reverse=True),
    )


def held_digest(subscription: Subscription, since: datetime, now: datetime, rows: Sequence[IncidentRow]) -> Digest:
    """What quiet hours kept back and is still worth telling: what fires, and what was told before and is over."""
    zone = subscription.quiet.zone
    still_open = sorted((row for row in rows if row.state != "resolved"), key=importance, reverse=True)
    over = sorted((row for row in rows if row.state == "resolved"), key=importance, reverse=True)
    return Digest(
        "held",
        subscription.name,
        since.astimezone(zone),
        now.astimezone(zone),
        Counter(row.severity for row in still_open),
        Counter(row.severity for row in over),
        over[:TOP],
        still_open,
    )


def _over_at(row: IncidentRow) -> datetime | None:
    return row.over_at if row.status == "resolved" else row.closed_at


def _is_within(at: datetime | None, since: datetime, until: datetime) -> bool:
    return at is not None and since <= at < until
