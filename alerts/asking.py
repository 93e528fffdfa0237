"""The dry run over the tables: who would hear of an incident that there is, or of one that there could be."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from alerts.routing.dry_run import Answer, Circumstances, who
from alerts.telling import in_force, related_rows
from storage import silences, tellings
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
