"""Who hears of an incident, when, and why not: one receiver, one incident, all subscriptions. Pure.

Each subscription is asked for itself, and the most eager answer holds: a receiver that is in two of them is told at
once if one of them says so, and only once.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from alerts.routing.rollup import RANK
from alerts.routing.silencing import labels_of
from alerts.routing.subscriptions import Subscription
from storage.incidents import IncidentRow
from storage.notifications import Channel
from storage.tellings import Telling

Outcome = Literal["now", "held", "waits", "no"]
EAGERNESS: dict[Outcome, int] = {"now": 3, "held": 2, "waits": 1, "no": 0}

Told = Mapping[tuple[Channel, str], Telling]
"""By receiver, what it has heard of one incident."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What one subscription says of one receiver and one incident.

    Attributes:
        outcome: `held` by quiet hours, `waits` for nobody to acknowledge.
        at: until when it is held or waits, as far as that is known.
        is_escalation: the receiver is told because nobody acknowledged.
    """

    subscription: Subscription
    outcome: Outcome
    reason: str
    at: datetime | None = None
    is_escalation: bool = False


def reach(
    receiver: str,
    incident: IncidentRow,
    told: Told,
    subscriptions: Sequence[Subscription],
    now: datetime,
    *,
    goes_on: bool = False,
) -> Reach | None:
    """The most eager answer of all subscriptions; None when none is for this receiver.

    Args:
        goes_on: the receiver knows the incident already: whoever heard of the beginning hears of the end.
    """
    found = list(answers(receiver, incident, told, subscriptions, now, goes_on=goes_on))
    return max(found, key=_eagerness, default=None)


def answers(
    receiver: str,
    incident: IncidentRow,
    told: Told,
    subscriptions: Sequence[Subscription],
    now: datetime,
    *,
    goes_on: bool = False,
) -> Iterator[Reach]:
    """What each subscription that is for this receiver says; one that names it twice answers twice."""
    for one in subscriptions:
        if one.is_for(receiver):
            yield _answer(one, incident, now, goes_on)
        for step in one.escalations:
            if receiver in step.to and not one.is_for(receiver):
                yield _escalation(one, step.after, incident, told, now, goes_on)


def _eagerness(answer: Reach) -> tuple[int, float]:
    return EAGERNESS[answer.outcome], -answer.at.timestamp() if answer.at else 0.0


def _answer(
    subscription: Subscription, incident: IncidentRow, now: datetime, goes_on: bool, *, is_escalation: bool = False
) -> Reach:
    def says(outcome: Outcome, reason: str, at: datetime | None = None) -> Reach:
        return Reach(subscription, outcome, reason, at, is_escalation)

    if not goes_on:
        if not subscription.instant:
            return says("no", "digests only")
        labels = labels_of(incident)
        for condition in subscription.conditions:
            if not condition.matches(labels):
                return says("no", f"{condition} does not hold")
        if RANK[incident.severity] < RANK[subscription.min_severity]:
            return says("no", f"{incident.severity} is below {subscription.min_severity}")
    ends = subscription.quiet.until(now)
    if ends is None:
        return says("now", "nobody acknowledged" if is_escalation else "it matches")
    if subscription.critical_passes and incident.severity == "critical":
        return says("now", "critical passes quiet hours")
    return says("held", "quiet hours", ends)


def _escalation(
    subscription: Subscription,
    after: timedelta,
    incident: IncidentRow,
    told: Told,
    now: datetime,
    goes_on: bool,
) -> Reach:
    answer = _answer(subscription, incident, now, goes_on, is_escalation=True)
    if goes_on or answer.outcome == "no":
        return answer
    if incident.acknowledged_at is not None:
        return Reach(subscription, "no", f"acknowledged by {incident.acknowledged_by}", is_escalation=True)
    first = min(
        (
            one.first_told_at
            for (_, name), one in told.items()
            if subscription.is_for(name) and one.first_told_at is not None
        ),
        default=None,
    )
    if first is None:
        return Reach(subscription, "waits", "the subscribers were not told yet", is_escalation=True)
    if first + after > now:
        return Reach(subscription, "waits", "unless somebody acknowledges", first + after, is_escalation=True)
    return answer
