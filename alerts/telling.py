"""What receivers are told of incidents, into the outbox; whoever judged them, and whenever it is time."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any

from sqlalchemy import Connection

from alerts import membership
from alerts.detection.lifecycle import Transition
from alerts.reasons.charts import chart_png
from alerts.rendering import messages, renderers
from alerts.rendering.contract import Language, RenderOptions
from alerts.rendering.phone_links import PhoneLinks
from alerts.routing.delivery_ids import delivery_id
from alerts.routing.grouping import TOGETHER, Message
from alerts.routing.planning import Situation, plan
from alerts.routing.subscriptions import EVERYTHING, Subscription, usable
from core.logs import get_logger
from core.records import AlertStatus
from storage import app_secrets, incidents, notifications, silences, subscriptions, tellings
from storage.incidents import IncidentRow
from storage.notifications import Channel, NotificationRow

log = get_logger(__name__)

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
        zone: of the times that it reads.
        phone_links: how its links that need no login are made; None: it gets none.
    """

    channel: Channel
    name: str
    language: Language = field(default="both", compare=False)
    link_only: bool = field(default=False, compare=False)
    per_minute: int | None = field(default=None, compare=False)
    zone: tzinfo = field(default=UTC, compare=False)
    phone_links: PhoneLinks | None = field(default=None, compare=False)


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

    The caller holds `storage.detector_states.lock`.

    Args:
        changes: by incident id, what happened to it in this run.
        actor: who judged; stands in the incident's history.
        now: the wall clock, for silences and the outbox.
    """
    loud = {i: set(c) & TOLD_TRANSITIONS.keys() for i, c in changes.items()}
    loud = {i: transitions for i, transitions in loud.items() if transitions}
    if not loud:
        return
    began = [i for i, transitions in loud.items() if transitions & {"opened", "reopened"}]
    over = [i for i, transitions in loud.items() if "resolved" in transitions]
    incidents.note_times(connection, began, over, now)
    rows = incidents.by_ids(connection, list(loud))
    bodies = incidents.newest_evidence(connection, [row.id for row in rows])
    outbox = [
        _event(row, transition, bodies.get(row.id, {}), receiver)
        for receiver in receivers
        if receiver.channel == "kafka"
        for row in rows
        for transition in TOLD_TRANSITIONS
        if transition in loud[row.id]
    ]
    notifications.enqueue(connection, outbox, due_at=now)
    opened = [i for i, transitions in loud.items() if "opened" in transitions]
    tell_people(connection, receivers, console_url=console_url, actor=actor, now=now, changed=rows, opened=opened)


def tell_people(
    connection: Connection,
    receivers: Sequence[Receiver],
    *,
    console_url: str,
    actor: str,
    now: datetime,
    changed: Sequence[IncidentRow] = (),
    opened: Collection[int] = (),
) -> int:
    """Put into the outbox whatever people have to hear by now; how many messages that is.

    The caller holds `storage.detector_states.lock`.

    Args:
        changed: incidents that this run has changed.
        opened: ids of those that began just now, even if they are over already.
    """
    people = [receiver for receiver in receivers if receiver.channel != "kafka"]
    rows = related_rows(connection, changed) if people else []
    rows = membership.audible(connection, rows, [row.id for row in changed])
    if not rows:
        return 0
    situation = Situation(
        rows=rows,
        known=tellings.of_incidents(connection, [row.id for row in rows]),
        subscriptions=in_force(connection),
        silences=silences.active(connection, now),
        opened=opened,
        now=now,
    )
    plans = [(receiver, plan(receiver.channel, receiver.name, situation)) for receiver in people]
    planned = [(receiver, message) for receiver, made in plans for message in made.messages]
    bodies = incidents.newest_evidence(connection, [m.id for _, message in planned for m in message.members])
    whole = [(receiver, membership.attached(connection, message)) for receiver, message in planned]
    links = phone_link_makers(connection, [receiver for receiver, _ in whole], console_url, now)
    outbox = [render(message, bodies, one, console_url, links.get(one)) for one, message in whole]
    notifications.enqueue(connection, outbox, due_at=now)
    tellings.save(connection, [telling for _, made in plans for telling in made.tellings.values()])
    _note(connection, planned, actor)
    return len(planned)


def in_force(connection: Connection) -> list[Subscription]:
    """The subscriptions that hold: people's, or everything for everybody while there is none that can be used."""
    stored = subscriptions.known(connection)
    found, wrong = usable([(one.name, one.definition) for one in stored])
    for name, why in wrong.items():
        log.warning("subscription_not_usable", subscription=name, reason=why)
    return found or [EVERYTHING]


def related_rows(connection: Connection, changed: Sequence[IncidentRow]) -> list[IncidentRow]:
    """All that is open or has still to be told, and what may be related to it."""
    found = {row.id: row for row in (*incidents.firing(connection), *changed)}
    left = [number for number in tellings.unfinished(connection) if number not in found]
    found |= {row.id: row for row in incidents.by_ids(connection, left)}
    near: dict[int, IncidentRow] = {}
    for start, end in stretches([row.detected_at for row in found.values()]):
        near |= {row.id: row for row in incidents.detected_between(connection, start, end)}
    return list((near | found).values())


def stretches(moments: Sequence[datetime]) -> list[tuple[datetime, datetime]]:
    """The times around these in which related incidents were detected; one that has fired for weeks adds its own
    hours, and not the weeks."""
    joined: list[tuple[datetime, datetime]] = []
    for at in sorted(moments):
        if joined and at - TOGETHER <= joined[-1][1]:
            joined[-1] = joined[-1][0], at + TOGETHER
        else:
            joined.append((at - TOGETHER, at + TOGETHER))
    return joined


def _note(connection: Connection, planned: Sequence[tuple[Receiver, Message]], actor: str) -> None:
    """A line in the history of every incident that somebody was told of."""
    told: defaultdict[tuple[int, AlertStatus, str], list[str]] = defaultdict(list)
    for receiver, message in planned:
        for member in message.members:
            told[member.id, message.status, message.kind].append(receiver.name)
    for (number, status, kind), names in told.items():
        detail = {"status": status, "kind": kind, "receivers": names}
        incidents.add_event(connection, number, incidents.TOLD, actor=actor, detail=detail)


def _event(row: IncidentRow, transition: Transition, body: dict[str, Any], receiver: Receiver) -> NotificationRow:
    delivery = delivery_id(
        row.fingerprint, row.detected_at, transition, row.notified_score, row.last_fired_at, receiver.name
    )
    event = messages.alert_event(row, TOLD_TRANSITIONS[transition], body, delivery=delivery)
    return NotificationRow(delivery, row.id, receiver.channel, receiver.name, event)


def phone_link_makers(
    connection: Connection, receivers: Sequence[Receiver], console_url: str, now: datetime
) -> dict[Receiver, Callable[[int], str]]:
    """Of those of these receivers that get such links."""
    wanted = {one: one.phone_links for one in receivers if one.phone_links is not None}
    if not wanted:
        return {}
    secret = app_secrets.secret(connection)
    return {one: links.maker(secret, console_url, one.name, now) for one, links in wanted.items()}


def render(
    message: Message,
    bodies: Mapping[int, dict[str, Any]],
    receiver: Receiver,
    console_url: str,
    phone_link: Callable[[int], str] | None = None,
) -> NotificationRow:
    """A message as it lies in the outbox.

    Args:
        bodies: frozen evidence, by incident id.
        phone_link: by incident, a link that this receiver opens without a login.
    """
    delivery = delivery_id(message.key, receiver.channel, receiver.name)
    language = message.language or receiver.language
    picture = _picture(message, bodies, receiver)
    options = RenderOptions(
        receiver.name, console_url, language, receiver.link_only, picture, receiver.zone, phone_link
    )
    payload = renderers.render(receiver.channel, message, bodies, options)
    number = message.members[0].id if message.members and message.digest is None else None
    return NotificationRow(delivery, number, receiver.channel, receiver.name, payload)


def _picture(message: Message, bodies: Mapping[int, dict[str, Any]], receiver: Receiver) -> bytes | None:
    """For mail, the only channel that shows one: the chart of the leading incident."""
    if receiver.channel != "email" or receiver.link_only or message.digest is not None or message.status != "firing":
        return None
    body = bodies.get(message.members[0].id)
    return chart_png(body, language="zh" if receiver.language == "zh" else "en", zone=receiver.zone) if body else None
