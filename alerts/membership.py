"""Incidents that are told as parts of others: who is kept quiet, and what is attached to the message of the whole."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection

from alerts.detection.rules import DRIFT_ALERT, PLATFORM_RULE
from alerts.routing.grouping import Message, importance
from storage import incident_members
from storage.incidents import IncidentRow

MOST_ATTACHED: Final = 20


def audible(connection: Connection, rows: Sequence[IncidentRow], changed: Collection[int]) -> list[IncidentRow]:
    """Those that people may be told of by themselves.

    Not the members of a platform-wide surge, but for the end of what they were told before it; and not a drift, which
    is for digests.
    """
    inside = incident_members.inside(connection, [row.id for row in rows], rule=PLATFORM_RULE, changed=changed)
    return [
        row
        for row in rows
        if row.labels.get("alertname") != DRIFT_ALERT
        and (row.id not in inside or (row.told == "firing" and row.status == "resolved"))
    ]


def attached(connection: Connection, message: Message) -> Message:
    """The message with its members: those of a platform-wide surge are attached, the others are noted."""
    if message.digest is not None:
        return message
    lead = message.members[0]
    if lead.rule != PLATFORM_RULE:
        incident_members.add(connection, lead.id, [row.id for row in message.members])
        return message
    parts = incident_members.of(connection, [lead.id]).get(lead.id, [])
    strongest = sorted(parts, key=importance, reverse=True)[:MOST_ATTACHED]
    return replace(message, members=[*message.members, *strongest])
