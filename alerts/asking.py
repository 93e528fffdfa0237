"""The dry run over the tables: who would hear of an incident that there is, could be, or was."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from alerts.routing.dry_run import Answer, Circumstances, who
from alerts.routing.retold import Retold, retold
from alerts.routing.subscriptions import Subscription
from alerts.telling import in_force, related_rows
from storage import incidents, silences, tellings
from storage.incidents import IncidentRow
from storage.notifications import Channel


def ask(
    connection: Connection, row: IncidentRow, people: Sequence[tuple[Channel, str]], now: datetime
) -> list[Answer]:
    """Who would hear of it at this moment, and why or why not; changes nothing.

    Args:
        people: channels and names of people's receivers.
    """
    others = related_rows(connection, [])
    known = tellings.of_incidents(connection, [row.id, *(one.id for one in others)])
    return who(row, Circumstances(people, in_force(connection), silences.active(connection, now), others, known, now))


def ask_of_past(
    connection: Connection, subscription: Subscription, people: Sequence[tuple[Channel, str]], limit: int
) -> list[Retold]:
    """Who would have heard of the newest incidents if this subscription alone had held; newest first."""
    rows = [row for row in incidents.newest(connection, limit=limit) if row.state != "pending"]
    return retold(rows, subscription, people, silences.known(connection))
