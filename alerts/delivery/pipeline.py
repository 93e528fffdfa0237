"""Out of the outbox: every due message is tried, retried with back-off, and in the end delivered or dead.

At least once: the row is locked while its message is sent and marked in the same transaction, so a crash between
the two sends it again with the same delivery id. Several processes may deliver at once. Receivers are served side by
side, each at its own pace; one that fails again and again is tried with one message a minute until it is back.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection, Engine

from alerts.delivery.admission import admit, after
from alerts.delivery.lanes import Lanes
from alerts.delivery.notifiers.contract import Delivery, Notifier, Repeater
from alerts.telling import Receiver
from core.clock import Clock
from core.logs import get_logger
from core.metrics import DELIVERIES, DELIVERY_SECONDS, OUTBOX, RECEIVERS_PAUSED
from storage import notifications, receiver_states
from storage.notifications import NotificationRow

log = get_logger(__name__)

FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(hours=1)
SPREAD = 0.2  # of a wait, on top, so that what failed together is not tried again together
MOST_AT_ONCE = 200  # of one receiver; then the job comes round again, so that a flood does not hide that it is alive
LOOK_EVERY = timedelta(minutes=1)  # at what goes on, for those that want it repeated, and at the size of the outbox


def wait_after(attempts: int, *, seed: str = "") -> timedelta:
    """How long to wait after so many failed attempts: 5 s, 10 s, 20 s … an hour, and a bit more by the seed."""
    doublings: int = 2 ** min(attempts - 1, 20)
    wait = min(FIRST_WAIT * doublings, LONGEST_WAIT)
    if not seed:
        return wait
    chance = hashlib.sha256(f"{seed} {attempts}".encode()).digest()[0] / 256
    return wait * (1 + SPREAD * chance)


class Deliverer:
    """Serves all receivers. For one thread; its lanes have their own."""

    def __init__(
        self, engine: Engine, notifiers: Mapping[Receiver, Notifier], *, attempts: int, clock: Clock
    ) -> None:
        """Args:
        attempts: a message is dead after so many.
        """
        self._engine = engine
        self._notifiers = notifiers
        self._known = {receiver: receiver for receiver in notifiers}
        self._attempts = attempts
        self._clock = clock
        self._lanes = Lanes()
        self._looked_at: datetime | None = None

    def run(
        self, should_stop: Callable[[], bool] = lambda: False, *, patience_seconds: float | None = None
    ) -> Counter[str]:
        """Try every message that is due, by receiver the longest due first.

        Args:
            patience_seconds: return after so long though some receivers have not answered yet; the next run leaves
                those alone until they have. None: wait for all.

        Returns:
            How many ended as `delivered`, `retried` or `dead`, counted when their receiver's lane has ended.
        """
        now = self._clock.now()
        with self._engine.connect() as connection:
            due = {Receiver(channel, name) for channel, name in notifications.due_receivers(connection, now)}
        if self._looked_at is None or now - self._looked_at >= LOOK_EVERY:
            self._looked_at = now
            self._count()
            for receiver, notifier in self._notifiers.items():
                if isinstance(notifier, Repeater):
                    self._lanes.start(receiver, partial(self._serve, receiver, should_stop, notifier))
        for receiver in due:
            self._lanes.start(receiver, partial(self._serve, receiver, should_stop, None))
        return self._lanes.wait(patience_seconds)

    def close(self) -> None:
        """Wait for the receivers that have not answered yet, and let go of connections."""
        self._lanes.close()
        for notifier in self._notifiers.values():
            notifier.close()

    def _serve(self, receiver: Receiver, should_stop: Callable[[], bool], repeater: Repeater | None) -> Counter[str]:
        outcomes: Counter[str] = Counter()
        notifier = self._notifiers.get(receiver)
        for _ in range(MOST_AT_ONCE):
            if should_stop() or (notifier and not self._is_admitted(self._known[receiver])):
                break
            outcome = self._deliver_one(receiver, notifier)
            if outcome is None:
                break
            outcomes[outcome] += 1
        if repeater is not None and not should_stop():
            self._repeat(receiver, repeater)
        return outcomes

    def _is_admitted(self, receiver: Receiver) -> bool:
        """Takes the message out of the receiver's pace, if there is one to send at all."""
        now = self._clock.now()
        with self._engine.begin() as connection:
            state = receiver_states.locked(connection, receiver.channel, receiver.name)
            if not notifications.is_due(connection, receiver.channel, receiver.name, now):
                return False
            admitted = admit(state, receiver.per_minute, now)
            if admitted is None:
                return False
            if admitted != state:
                receiver_states.save(connection, admitted)
        return True

    def _deliver_one(self, receiver: Receiver, notifier: Notifier | None) -> str | None:
        with self._engine.begin() as connection:
            row = notifications.take_due(connection, receiver.channel, receiver.name, self._clock.now())
            if row is None:
                return None
            delivery = self._send(row, notifier)
            now = self._clock.now()
            if notifier is not None:
                state = receiver_states.locked(connection, receiver.channel, receiver.name)
                receiver_states.save(connection, after(state, delivery, now))
            outcome = _settle(connection, row, delivery, self._attempts, now)
        DELIVERIES.labels(row.channel, outcome).inc()
        return outcome

    def _send(self, row: NotificationRow, notifier: Notifier | None) -> Delivery:
        if notifier is None:
            return Delivery("permanent", "this receiver is no longer configured")
        with DELIVERY_SECONDS.labels(row.channel).time():
            try:
                return notifier.send(row.payload, row.delivery_id)
            except Exception as error:  # a bug; its message ends dead and visible instead of blocking the others
                log.exception("notifier_failed", channel=row.channel, delivery_id=row.delivery_id)
                return Delivery("retryable", f"unexpected {type(error).__name__}")

    def _repeat(self, receiver: Receiver, repeater: Repeater) -> None:
        """Not through the outbox: a repeat that fails is made up for by the next."""
        now = self._clock.now()
        with self._engine.begin() as connection:
            state = receiver_states.locked(connection, receiver.channel, receiver.name)
            alerts = notifications.still_firing(connection, receiver.name)
        if not alerts or (state.paused_until is not None and now < state.paused_until):
            return
        told = repeater.repeat(alerts)
        if told.outcome != "ok":
            log.warning("repeat_failed", channel=receiver.channel, receiver=receiver.name, reason=told.reason)

    def _count(self) -> None:
        with self._engine.connect() as connection:
            for status, messages in notifications.backlog(connection).items():
                OUTBOX.labels(status).set(messages)
            RECEIVERS_PAUSED.set(receiver_states.paused(connection, self._clock.now()))


def _settle(connection: Connection, row: NotificationRow, delivery: Delivery, attempts: int, now: datetime) -> str:
    if delivery.outcome == "ok":
        notifications.mark_delivered(connection, row.delivery_id, now)
        return "delivered"
    made = row.attempts + 1
    is_dead = delivery.outcome == "permanent" or made >= attempts
    wait = max(wait_after(made, seed=row.delivery_id), delivery.retry_after or timedelta(0))
    retry_at = None if is_dead else now + wait
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
