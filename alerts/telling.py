"""What receivers are told of changed incidents, into the outbox; whoever judged them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from alerts import membership, messages
from alerts.grouping import TOGETHER, Message, is_silenced, plan_messages
from alerts.lifecycle import Transition
from alerts.rendering.contract import Language, RenderOptions
from alerts.rendering.renderers import render
from core.records import AlertStatus
from storage import incidents, notifications
from storage.incidents import IncidentRow
from storage.notifications import Channel, NotificationRow

TOLD_TRANSITIONS: dict[Transition, AlertStatus] = {
    "opened": "firing",
    "escalated": "firing",
    "reopened": "firing",
    "resolved": "resolved",
}


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where notifications go; channel and name identify it in the outbox, and no secret is in either.

    Attributes:
        link_only: it gets nothing that was crawled.
        per_minute: at most so many messages; None: as many as there are.
    """

    channel: Channel
    name: str
    language: Language = field(default="both", compare=False)
    link_only: bool = field(default=False, compare=False)
    per_minute: int | None = field(default=None, compare=False)


def tell(
    connection: Connection,
    changes: Mapping[int, Collection[Transition]],
    receivers: Sequence[Receiver],
    *,
    console_url: str,
    actor: str,
    now: datetime,
) -> None:
    """Fill the outbox, in the transaction of the changes: each for the alert topic, messages for people.

    Args:
        changes: by incident id, what happened to it in this run.
        actor: who judged; stands in the incident's history.
        now: the wall clock, for silences and the outbox.
    """
    loud = {i: set(c) & TOLD_TRANSITIONS.keys() for i, c in changes.items()}
    loud = {i: transitions for i, transitions in loud.items() if transitions}
    if not loud:
        return
    rows = _with_neighbours(connection, loud)
    bodies = incidents.newest_evidence(connection, [row.id for row in rows])
    outbox: list[NotificationRow] = []
    for receiver in receivers:
        if receiver.channel == "kafka":
            outbox += [
                _event(row, transition, bodies.get(row.id, {}), receiver)
                for row in rows
                for transition in TOLD_TRANSITIONS
                if transition in loud.get(row.id, ())
            ]
    silences = incidents.active_silences(connection, now)
    audible = [row for row in membership.audible(connection, rows, loud) if not is_silenced(row.labels, silences)]
    for planned in plan_messages(audible, {row.id: set(changes.get(row.id, {})) for row in audible}):
        message = membership.attached(connection, planned)
        outbox += [
            _message(message, bodies, receiver, console_url) for receiver in receivers if receiver.channel != "kafka"
        ]
        for member in planned.members:
            incidents.add_event(connection, member.id, incidents.TOLD, actor=actor, detail={"status": message.status})
    notifications.enqueue(connection, outbox, due_at=now)


def _with_neighbours(connection: Connection, loud: Mapping[int, set[Transition]]) -> list[IncidentRow]:
    """The changed incidents as they now stand, and those that may be related to them."""
    changed = incidents.by_ids(connection, list(loud))
    start = min(row.detected_at for row in changed) - 2 * TOGETHER
    end = max(row.detected_at for row in changed) + 2 * TOGETHER
    near = {row.id: row for row in incidents.detected_between(connection, start, end)}
    return list((near | {row.id: row for row in changed}).values())


def _event(row: IncidentRow, transition: Transition, body: dict[str, Any], receiver: Receiver) -> NotificationRow:
    delivery = messages.delivery_id(
        row.fingerprint, row.detected_at, transition, row.notified_score, row.last_fired_at, receiver.name
    )
    event = messages.alert_event(row, TOLD_TRANSITIONS[transition], body, delivery=delivery)
    return NotificationRow(delivery, row.id, receiver.channel, receiver.name, event)


def _message(
    message: Message, bodies: Mapping[int, dict[str, Any]], receiver: Receiver, console_url: str
) -> NotificationRow:
    lead = message.members[0]
    delivery = messages.delivery_id(
        lead.fingerprint, lead.detected_at, message.status, lead.notified_score, lead.last_fired_at, receiver.name
    )
    options = RenderOptions(receiver.name, console_url, receiver.language, receiver.link_only)
    payload = render(receiver.channel, message, bodies, options)
    return NotificationRow(delivery, lead.id, receiver.channel, receiver.name, payload)
