"""The outbox: what still has to be told, written with the incident and delivered afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Select, exists, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from core.errors import NotFoundError
from storage.tables import notification, receiver_state

Channel = Literal[
    "kafka", "webhook", "alertmanager", "pagerduty", "email", "feishu", "wecom", "dingtalk", "slack", "apprise"
]
Status = Literal["pending", "delivered", "dead"]


@dataclass(frozen=True, slots=True)
class NotificationRow:
    """One message for one receiver; `delivery_id` stays the same over retries. A digest is of no incident."""

    delivery_id: str
    incident_id: int | None
    channel: Channel
    receiver: str
    payload: dict[str, Any]
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class OutboxLine:
    """A message as a list shows it: without what it says."""

    delivery_id: str
    incident_id: int
    channel: Channel
    receiver: str
    status: Status
    attempts: int
    created_at: datetime
    next_attempt_at: datetime
    delivered_at: datetime | None
    last_error: str | None


def enqueue(connection: Connection, rows: Sequence[NotificationRow], *, due_at: datetime) -> None:
    """Put messages into the outbox, in the order in which receivers are to hear them.

    A delivery that is already there is left as it is.
    """
    if rows:
        values = [
            {
                "delivery_id": row.delivery_id,
                "incident_id": row.incident_id,
                "channel": row.channel,
                "receiver": row.receiver,
                "payload": row.payload,
                "next_attempt_at": due_at,
            }
            for row in rows
        ]
        connection.execute(insert(notification).on_conflict_do_nothing(), values)


def due_receivers(connection: Connection, now: datetime) -> list[tuple[Channel, str]]:
    """Channel and name of every receiver that something is due for, but those that are left alone at the moment."""
    row = notification.c
    is_paused = exists().where(
        receiver_state.c.channel == row.channel,
        receiver_state.c.receiver == row.receiver,
        receiver_state.c.paused_until > now,
    )
    is_due = row.status == "pending", row.next_attempt_at <= now
    query = select(row.channel, row.receiver).where(*is_due, ~is_paused).distinct()
    return [(channel, receiver) for channel, receiver in connection.execute(query)]


def is_due(connection: Connection, channel: str, receiver: str, now: datetime) -> bool:
    """Whether `take_due` would find something that nobody else holds."""
    return connection.execute(_due(channel, receiver, now)).first() is not None


def take_due(connection: Connection, channel: str, receiver: str, now: datetime) -> NotificationRow | None:
    """The receiver's message that has been due longest, locked until the transaction ends; others skip it."""
    row = connection.execute(_due(channel, receiver, now).with_for_update(skip_locked=True, of=notification)).first()
    return NotificationRow(**row._mapping) if row else None


def _due(channel: str, receiver: str, now: datetime) -> Select[Any]:
    """What a receiver is told of an incident keeps its order: later news wait until those before them are settled."""
    before = notification.alias("before")
    is_next = ~exists().where(
        before.c.status == "pending",
        before.c.incident_id == notification.c.incident_id,
        before.c.receiver == notification.c.receiver,
        before.c.channel == notification.c.channel,
        before.c.number < notification.c.number,
    )
    return (
        select(*(notification.c[name] for name in NotificationRow.__dataclass_fields__))
        .where(notification.c.status == "pending", notification.c.next_attempt_at <= now, is_next)
        .where(notification.c.channel == channel, notification.c.receiver == receiver)
        .order_by(notification.c.next_attempt_at, notification.c.number)
        .limit(1)
    )


def mark_delivered(connection: Connection, delivery_id: str, at: datetime) -> None:
    """The receiver has it."""
    _settle(connection, delivery_id, status="delivered", delivered_at=at, last_error=None)


def mark_failed(connection: Connection, delivery_id: str, error: str, *, retry_at: datetime | None) -> None:
    """It did not arrive: again at `retry_at`, or never (None)."""
    if retry_at is None:
        _settle(connection, delivery_id, status="dead", last_error=error)
    else:
        _settle(connection, delivery_id, next_attempt_at=retry_at, last_error=error)


def newest(
    connection: Connection,
    *,
    status: Status | None = None,
    receiver: str | None = None,
    incident_id: int | None = None,
    limit: int = 50,
) -> list[OutboxLine]:
    """The outbox, newest first.

    Args:
        incident_id: messages that begin with this incident; it may be told of in others, too (`storage.tellings`).
    """
    columns = [notification.c[name] for name in OutboxLine.__dataclass_fields__]
    query = select(*columns).order_by(notification.c.number.desc()).limit(limit)
    if status:
        query = query.where(notification.c.status == status)
    if receiver:
        query = query.where(notification.c.receiver == receiver)
    if incident_id is not None:
        query = query.where(notification.c.incident_id == incident_id)
    return [OutboxLine(**row._mapping) for row in connection.execute(query)]


def revive(connection: Connection, delivery_ids: Sequence[str], *, now: datetime) -> list[str]:
    """Dead messages get all their attempts again, from now on; returns which. No ids: all that are dead.

    Raises:
        NotFoundError: an id is not that of a dead message.
    """
    statement = update(notification).where(notification.c.status == "dead")
    if delivery_ids:
        statement = statement.where(notification.c.delivery_id.in_(delivery_ids))
    revived = list(
        connection.scalars(
            statement.values(status="pending", attempts=0, next_attempt_at=now).returning(notification.c.delivery_id)
        )
    )
    if missing := sorted(set(delivery_ids) - set(revived)):
        raise NotFoundError(
            f"not a dead message: {', '.join(missing)}", remedy="opinion alerts outbox list --status dead"
        )
    return revived


def backlog(connection: Connection) -> dict[str, int]:
    """How many messages are pending, and how many dead."""
    row = notification.c
    query = select(row.status, func.count()).where(row.status.in_(("pending", "dead"))).group_by(row.status)
    return {"pending": 0, "dead": 0} | {status: int(count) for status, count in connection.execute(query)}


_STILL_FIRING = text("""
    SELECT n.payload FROM notification AS n
    WHERE n.channel = 'alertmanager' AND n.status = 'delivered' AND n.receiver = :receiver
      AND EXISTS (
          SELECT FROM incident AS i
          WHERE i.status <> 'resolved'
            AND i.id IN (SELECT CAST(jsonb_array_elements_text(n.payload -> 'incidents') AS bigint))
      )
    ORDER BY n.number
""")
_STILL = text("SELECT id FROM incident WHERE status <> 'resolved' AND id = ANY(:ids)")


def still_firing(connection: Connection, receiver: str) -> list[dict[str, Any]]:
    """The alerts that an Alertmanager was told last of each incident that goes on, oldest incident first."""
    last: dict[int, dict[str, Any]] = {}
    for payload in connection.scalars(_STILL_FIRING, {"receiver": receiver}):
        last.update(zip(payload["incidents"], payload["alerts"], strict=True))
    going_on = set(connection.scalars(_STILL, {"ids": list(last)}))
    return [alert for number, alert in sorted(last.items()) if number in going_on and "endsAt" not in alert]


def _settle(connection: Connection, delivery_id: str, **values: Any) -> None:
    connection.execute(
        update(notification)
        .where(notification.c.delivery_id == delivery_id)
        .values(attempts=notification.c.attempts + 1, **values)
    )
