"""Who would hear of an incident, when, and why (not): the answers that routing goes by, all of them. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from alerts.routing.grouping import may_inhibit, why_needless
from alerts.routing.reach import EAGERNESS, Outcome, Reach, answers
from alerts.routing.silencing import labels_of, muting
from alerts.routing.subscriptions import Subscription
from core.records import Severity
from storage.incidents import IncidentRow
from storage.notifications import Channel
from storage.silences import SilenceRow
from storage.tellings import Known, Telling


@dataclass(frozen=True, slots=True)
class Answer:
    """What one subscription means for one receiver.

    Attributes:
        outcome: `told` was told already; `now`, `held` and `waits` would be told, at `at` as far as that is known.
        subscription: its name; empty where everybody hears of everything, or none is for the receiver.
    """

    channel: str
    receiver: str
    subscription: str
    outcome: Literal["told", "now", "held", "waits", "no"]
    at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the answer depends on beside the incident."""

    receivers: Sequence[tuple[Channel, str]]
    subscriptions: Sequence[Subscription]
    silences: Sequence[SilenceRow]
    others: Sequence[IncidentRow]
    known: Known
    now: datetime


def who(incident: IncidentRow, given: Circumstances) -> list[Answer]:
    """One answer or more for each receiver, the most eager first; and for each name that no receiver has."""
    found = []
    for channel, receiver in given.receivers:
        mine = list(_of_receiver(channel, receiver, incident, given))
        found += sorted(mine, key=lambda one: -EAGERNESS.get(_outcome(one), 4))
    return found + list(_unknown(given))


def imagined(labels: Mapping[str, str], severity: Severity, now: datetime) -> IncidentRow:
    """An incident of these labels that begins now."""
    return IncidentRow(
        id=0,
        fingerprint="",
        rule="",
        labels=dict(labels),
        severity=severity,
        status="firing",
        starts_at=now,
        ends_at=None,
        detected_at=now,
        last_fired_at=now,
        observed=0.0,
        expected=0.0,
        score=0.0,
        notified_score=0.0,
        annotations={},
        acknowledged_at=None,
        acknowledged_by=None,
        told=None,
    )


def _outcome(answer: Answer) -> Outcome:
    return "now" if answer.outcome == "told" else answer.outcome


def _of_receiver(channel: Channel, receiver: str, incident: IncidentRow, given: Circumstances) -> Iterator[Answer]:
    told = given.known.get(incident.id, {})
    mine = told.get((channel, receiver))
    reaches = list(answers(receiver, incident, told, given.subscriptions, given.now))
    if not reaches:
        yield Answer(channel, receiver, "", "no", None, "no subscription is for it")
    obstacle = _obstacle(channel, receiver, incident, mine, given)
    for one in reaches:
        yield _answer(channel, receiver, one, mine, obstacle, given.now)


def _answer(
    channel: Channel, receiver: str, one: Reach, mine: Telling | None, obstacle: str | None, now: datetime
) -> Answer:
    name = one.subscription.name
    if one.outcome == "no":
        return Answer(channel, receiver, name, "no", None, one.reason)
    if mine is not None and mine.first_told_at is not None:
        return Answer(channel, receiver, name, "told", mine.first_told_at, one.reason)
    if obstacle is not None:
        return Answer(channel, receiver, name, "no", None, obstacle)
    if one.outcome == "now":
        waits = one.subscription.wait if not one.is_escalation else None
        at = now + waits if waits else now
        reason = f"{one.reason}; related findings are waited for" if waits else one.reason
        return Answer(channel, receiver, name, "now", at, reason)
    return Answer(channel, receiver, name, one.outcome, one.at, one.reason)


def _obstacle(
    channel: Channel, receiver: str, incident: IncidentRow, mine: Telling | None, given: Circumstances
) -> str | None:
    """What keeps a matching incident from being told to this receiver."""
    if incident.state == "pending":
        return "it is pending: it does not hold yet"
    if incident.state == "resolved":
        return "it is over"
    if silence := muting(labels_of(incident), given.silences):
        return f"silence {silence.id} of {silence.created_by} mutes it until {silence.ends_at:%Y-%m-%d %H:%M} UTC"
    if incident.acknowledged_at is not None and mine is None:
        return f"{incident.acknowledged_by} has acknowledged it"
    heard = [
        row
        for row in given.others
        if (one := given.known.get(row.id, {}).get((channel, receiver))) is not None and one.status is not None
    ]
    return why_needless(incident, [row for row in given.others if may_inhibit(row)], heard)


def _unknown(given: Circumstances) -> Iterator[Answer]:
    known = {"*", *(name for _, name in given.receivers)}
    for one in given.subscriptions:
        for name in dict.fromkeys([*one.who, *(to for step in one.escalations for to in step.to)]):
            if name not in known:
                yield Answer("", name, one.name, "no", None, "no receiver of the settings is called so")
