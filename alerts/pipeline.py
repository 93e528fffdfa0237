"""Out of the outbox: every due message is tried, retried with back-off, and in the end delivered or dead.

At least once: the row is locked while its message is sent and marked in the same transaction, so a crash between
the two sends it again with the same delivery id. Several processes may deliver at once.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine

from alerts.notifiers.contract import Delivery, Notifier
from alerts.telling import Receiver
from core.clock import Clock
from core.logs import get_logger
from core.metrics import DELIVERIES
from storage import notifications
from storage.notifications import NotificationRow

log = get_logger(__name__)

FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(hours=1)
MOST_AT_ONCE = 200  # then the job comes round again, so that a flood does not hide that it is alive


def wait_after(attempts: int) -> timedelta:
    """How long to wait after so many failed attempts: 5 s, 10 s, 20 s … an hour."""
    doublings: int = 2 ** min(attempts - 1, 20)
    return min(FIRST_WAIT * doublings, LONGEST_WAIT)


def deliver_due(
    engine: Engine,
    notifiers: Mapping[Receiver, Notifier],
    *,
    attempts: int,
    clock: Clock,
    should_stop: Callable[[], bool] = lambda: False,
) -> Counter[str]:
    """Try every message that is due, the longest due first.

    Args:
        attempts: a message is dead after so many.

    Returns:
        How many ended as `delivered`, `retried` or `dead`.
    """
    outcomes: Counter[str] = Counter()
    for _ in range(MOST_AT_ONCE):
        if should_stop():
            break
        with engine.begin() as connection:
            row = notifications.take_due(connection, clock.now())
            if row is None:
                break
            notifier = notifiers.get(Receiver(row.channel, row.receiver))
            delivery = (
                notifier.send(row.payload, row.delivery_id)
                if notifier
                else Delivery("permanent", "this receiver is no longer configured")
            )
            outcome = _settle(connection, row, delivery, attempts, clock.now())
        outcomes[outcome] += 1
        DELIVERIES.labels(row.channel, outcome).inc()
    return outcomes


def _settle(connection: Connection, row: NotificationRow, delivery: Delivery, attempts: int, now: datetime) -> str:
    if delivery.outcome == "ok":
        notifications.mark_delivered(connection, row.delivery_id, now)
        return "delivered"
    made = row.attempts + 1
    is_dead = delivery.outcome == "permanent" or made >= attempts
    retry_at = None if is_dead else now + wait_after(made)
    notifications.mark_failed(connection, row.delivery_id, delivery.reason, retry_at=retry_at)
    log.warning(
        "notification_failed",
        channel=row.channel,
        receiver=row.receiver,
        delivery_id=row.delivery_id,
        attempt=made,
        reason=delivery.reason,
        retry_at=retry_at.isoformat() if retry_at else None,
    )
    return "dead" if is_dead else "retried"
