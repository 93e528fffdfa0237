"""What people do about an incident: take it over, hand it back, comment, resolve and reopen it. Each leaves a line in
its history; none of it changes what the counts say."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, update

from core.errors import GateRefusedError
from storage import incidents
from storage.incidents import IncidentRow
from storage.tables import incident, incident_event


@dataclass(frozen=True, slots=True)
class EventRow:
    """A line of an incident's history."""

    at: datetime
    transition: str
    actor: str
    detail: dict[str, Any]


def acknowledge(connection: Connection, incident_id: int, *, by: str) -> IncidentRow:
    """Someone takes care of it; the first name stays.

    Raises:
        NotFoundError: there is no such incident.
    """
    done = connection.execute(
        update(incident)
        .where(incident.c.id == incident_id, incident.c.acknowledged_at.is_(None))
        .values(
            acknowledged_at=func.now(),
            acknowledged_by=by,
            owner=func.coalesce(incident.c.owner, by),
            updated_at=func.now(),
        )
    )
    if done.rowcount:
        incidents.add_event(connection, incident_id, "acknowledged", actor=by)
    return incidents.one(connection, incident_id)


def unacknowledge(connection: Connection, incident_id: int, *, by: str) -> IncidentRow:
    """Nobody takes care of it any more: reminders and escalations go on.

    Raises:
        NotFoundError: there is no such incident.
    """
    done = connection.execute(
        update(incident)
        .where(incident.c.id == incident_id, incident.c.acknowledged_at.is_not(None))
        .values(acknowledged_at=None, acknowledged_by=None, owner=None, updated_at=func.now())
    )
    if done.rowcount:
        incidents.add_event(connection, incident_id, "unacknowledged", actor=by)
    return incidents.one(connection, incident_id)


def assign(connection: Connection, incident_id: int, owner: str, *, by: str) -> IncidentRow:
    """Whose it is now. It is not acknowledged by that.

    Raises:
        NotFoundError: there is no such incident.
    """
    before = incidents.one(connection, incident_id)
    if before.owner != owner:
        incidents.change(connection, incident_id, owner=owner)
        incidents.add_event(connection, incident_id, "assigned", actor=by, detail={"owner": owner})
    return incidents.one(connection, incident_id)


def comment(connection: Connection, incident_id: int, text: str, *, by: str) -> None:
    """Raises:
    NotFoundError: there is no such incident.
    """
    incidents.one(connection, incident_id)
    incidents.add_event(connection, incident_id, "commented", actor=by, detail={"comment": text})


def close(connection: Connection, incident_id: int, *, by: str, comment: str = "") -> IncidentRow:
    """For people it is over, for as long as it does not grow ten times rarer. Of one that is over, nothing changes.

    Raises:
        NotFoundError: there is no such incident.
    """
    before = incidents.one(connection, incident_id)
    if before.state != "resolved":
        incidents.change(
            connection,
            incident_id,
            closed_at=func.now(),
            closed_by=by,
            closed_score=incident.c.notified_score,
        )
        detail = {"comment": comment} if comment else {}
        incidents.add_event(connection, incident_id, "closed", actor=by, detail=detail)
    return incidents.one(connection, incident_id)


def reopen(connection: Connection, incident_id: int, *, by: str) -> IncidentRow:
    """Takes back that somebody resolved it.

    Raises:
        NotFoundError: there is no such incident. GateRefusedError: the counts say that it is over.
    """
    before = incidents.one(connection, incident_id)
    if before.status == "resolved":
        raise GateRefusedError(
            f"incident {incident_id} is over by the counts; it reopens by itself when they surge again",
            remedy="opinion alerts list",
        )
    if before.closed_at is not None:
        incidents.change(connection, incident_id, closed_at=None, closed_by=None, closed_score=None)
        incidents.add_event(connection, incident_id, "reopened", actor=by)
    return incidents.one(connection, incident_id)


def history(connection: Connection, incident_id: int) -> list[EventRow]:
    """What happened to it, oldest first.

    Raises:
        NotFoundError: there is no such incident.
    """
    incidents.one(connection, incident_id)
    columns = [incident_event.c[name] for name in EventRow.__dataclass_fields__]
    query = select(*columns).where(incident_event.c.incident_id == incident_id).order_by(incident_event.c.id)
    return [EventRow(**row._mapping) for row in connection.execute(query)]
