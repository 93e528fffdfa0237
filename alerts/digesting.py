"""Daily and weekly digests, into the outbox when their time has come."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from alerts.routing.delivery_ids import delivery_id
from alerts.routing.digests import digest, due
from alerts.routing.grouping import Message
from alerts.telling import Receiver, in_force, render
from storage import incidents, notifications, subscriptions

FOR_MACHINES: Final = ("kafka", "alertmanager", "pagerduty")  # they know what is open, and read no summaries


def tell_digests(connection: Connection, receivers: Sequence[Receiver], *, console_url: str, now: datetime) -> int:
    """Make the digests that are due; how many messages that is.

    The caller holds `storage.detector_states.lock`: two schedulers make each once.
    """
    outbox = []
    made = subscriptions.digested(connection)
    for subscription in in_force(connection):
        for period, slot, before in due(subscription, made, now):
            subscriptions.note_digest(connection, subscription.name, period, slot)
            if before is None:
                continue
            figures = digest(subscription, period, before, slot, incidents.alive_between(connection, before, slot))
            for receiver in receivers:
                if receiver.channel in FOR_MACHINES or not subscription.is_for(receiver.name):
                    continue
                message = Message(
                    "firing" if figures.still_open else "resolved",
                    figures.members,
                    period,
                    thread=delivery_id("digests", receiver.channel, receiver.name),
                    key=f"{period}|{subscription.name}|{slot.isoformat()}",
                    language=subscription.language,
                    digest=figures,
                )
                outbox.append(render(message, {}, receiver, console_url))
    notifications.enqueue(connection, outbox, due_at=now)
    return len(outbox)
