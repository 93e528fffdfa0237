"""The outbox: what still has to be told, written with the incident and delivered afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, exists, select, update
from sqlalchemy.dialects.postgresql import insert

from storage.tables import notification

Channel = Literal["kafka", "webhook", "apprise"]


@dataclass(frozen=True, slots=True)
class NotificationRow:
    """One message for one receiver; `delivery_id` stays the same over retries. A digest is of no incident."""

    delivery_id: str
    incident_id: int | None
    channel: Channel
    receiver: str
    payload: dict[str, Any]
    attempts: int = 0


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


def take_due(connection: Connection, now: datetime) -> NotificationRow | None:
    """The message that has been due longest, locked until the transaction ends; others skip it meanwhile.

    What a receiver is told of one incident keeps its order: later news wait until those before them are settled.
    """
    before = notification.alias("before")
    is_next = ~exists().where(
        before.c.status == "pending",
        before.c.incident_id == notification.c.incident_id,
        before.c.receiver == notification.c.receiver,
        before.c.channel == notification.c.channel,
        before.c.number < notification.c.number,
    )
    row = connection.execute(
        select(
            notification.c.delivery_id,
            notification.c.incident_id,
            notification.c.channel,
            notification.c.receiver,
            notification.c.payload,
            notification.c.attempts,
        )
        .where(notification.c.status == "pending", notification.c.next_attempt_at <= now, is_next)
        .order_by(notification.c.next_attempt_at, notification.c.number)
        .limit(1)
        .with_for_update(skip_locked=True, of=notification)
    ).first()
    return NotificationRow(**row._mapping) if row else None


def mark_delivered(connection: Connection, delivery_id: str, at: datetime) -> None:
    """The receiver has it."""
    _settle(connection, delivery_id, status="delivered", delivered_at=at, last_error=None)


def mark_failed(connection: Connection, delivery_id: str, error: str, *, retry_at: datetime | None) -> None:
    """It did not arrive: again at `retry_at`, or never (None)."""
    if retry_at is None:
        _settle(connection, delivery_id, status="dead", last_error=error)
    else:
        _settle(connection, delivery_id, next_attempt_at=retry_at, last_error=error)


def _settle(connection: Connection, delivery_id: str, **values: Any) -> None:
    connection.execute(
        update(notification)
        .where(notification.c.delivery_id == delivery_id)
        .values(attempts=notification.c.attempts + 1, **values)
    )
