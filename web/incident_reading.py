"""Everything that an incident's page shows, read in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from alerts.asking import ask
from alerts.routing import silencing
from alerts.routing.dry_run import Answer
from storage import feedback, incidents, notifications, queries, silences, tellings
from storage.feedback import FeedbackRow
from storage.notifications import Channel, OutboxLine
from storage.queries import IncidentFile
from storage.silences import SilenceRow
from storage.tellings import Telling

MOST_MESSAGES = 200


@dataclass(frozen=True, slots=True)
class Step:
    """A line of the timeline.

    Attributes:
        kind: a transition of the incident, `message` or `feedback`.
        who: whoever did it; of a message, its receiver.
        said: what people wrote; crawled or typed, so never markup.
        names: receivers that were told, or the new owner.
        state: of a message, its status; of feedback, the verdict; of a telling, what people were told.
    """

    at: datetime
    kind: str
    who: str
    said: str = ""
    names: Sequence[str] = ()
    state: str = ""


@dataclass(frozen=True, slots=True)
class IncidentReading:
    """One incident with all that people did about it.

    Attributes:
        told: receivers that have heard of it.
        hears: who would hear of it now, and why or why not; empty once it is over.
        muted_by: silences in force that keep it from being told.
    """

    file: IncidentFile
    steps: list[Step]
    told: list[Telling]
    hears: list[Answer]
    muted_by: list[SilenceRow]
    feedback: list[FeedbackRow] = field(default_factory=list)


def read_incident(
    connection: Connection, incident_id: int, receivers: Sequence[tuple[Channel, str]], now: datetime
) -> IncidentReading | None:
    """None: there is no such incident."""
    file = queries.incident_file(connection, incident_id)
    if file is None:
        return None
    row = incidents.one(connection, incident_id)
    told = tellings.of_incidents(connection, [incident_id]).get(incident_id, {})
    said = feedback.of_incident(connection, incident_id)
    messages = notifications.newest(connection, incident_id=incident_id, limit=MOST_MESSAGES)
    return IncidentReading(
        file,
        steps(file, messages, said),
        sorted(told.values(), key=lambda one: (one.first_told_at is None, one.first_told_at, one.receiver)),
        ask(connection, row, receivers, now) if row.state != "resolved" else [],
        silencing.all_muting(silencing.labels_of(row), silences.active(connection, now)),
        said,
    )


def steps(file: IncidentFile, messages: Sequence[OutboxLine], said: Sequence[FeedbackRow]) -> list[Step]:
    """What happened, what people did and what they were sent, oldest first. Pure.

    Events stand in the order in which they were written: those that a detector writes carry its clock.
    """
    found = []
    for event in file.events:
        detail = event.detail
        names = detail.get("receivers") or ([detail["owner"]] if detail.get("owner") else [])
        text = str(detail.get("comment") or detail.get("reason") or "")
        found.append(Step(event.at, event.transition, event.actor, text, names, str(detail.get("status") or "")))
    for one in messages:
        found.append(Step(one.delivered_at or one.created_at, "message", one.receiver, one.channel, (), one.status))
    found += [Step(one.given_at, "feedback", one.given_by, one.comment, (), one.verdict) for one in said]
    return sorted(found, key=lambda step: step.at)
