"""Incidents, their history and their evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, or_, select, update

from core.errors import NotFoundError
from core.records import AlertStatus, IncidentState, Severity
from storage.tables import evidence, incident, incident_event

STATES: Mapping[AlertStatus, tuple[IncidentState, ...]] = {
    "firing": ("firing", "acknowledged"),
    "resolved": ("resolved",),
}
TOLD = "told"  # the event that says what people were last told
LONGEST_WINDOW = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """An incident as it stands; times are of the event clock.

    Attributes:
        told: the status people last heard of it; None: nothing yet.
        is_pending: it does not hold yet, and nobody is told.
        closed_at, closed_score: somebody resolved it, when its `notified_score` was this.
        opened_at, over_at: when it was found to hold, and to be over, by the wall clock.
    """

    id: int
    fingerprint: str
    rule: str
    labels: dict[str, str]
    severity: Severity
    status: AlertStatus
    starts_at: datetime
    ends_at: datetime | None
    detected_at: datetime
    last_fired_at: datetime
    observed: float
    expected: float
    score: float
    notified_score: float
    annotations: dict[str, str]
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    told: AlertStatus | None
    is_pending: bool = False
    owner: str | None = None
    closed_at: datetime | None = None
    closed_by: str | None = None
    closed_score: float | None = None
    opened_at: datetime | None = None
    over_at: datetime | None = None

    @property
    def state(self) -> IncidentState:
        """What people see; `storage.tables.INCIDENT_STATE` says the same in SQL."""
        is_closed = self.closed_at is not None and self.notified_score <= (self.closed_score or 0.0)
        if self.status == "resolved" or is_closed:
            return "resolved"
        if self.is_pending:
            return "pending"
        return "acknowledged" if self.acknowledged_at is not None else "firing"


def of_fingerprints(connection: Connection, fingerprints: Sequence[str], *, since: datetime) -> list[IncidentRow]:
    """Incidents of these series that fire or were detected since then, oldest first."""
    return _rows(
        connection,
        _select().where(
            incident.c.fingerprint.in_(fingerprints),
            or_(incident.c.status == "firing", incident.c.detected_at >= since),
        ),
    )


def by_ids(connection: Connection, ids: Sequence[int]) -> list[IncidentRow]:
    """These incidents, oldest first."""
    return _rows(connection, _select().where(incident.c.id.in_(ids)))


def firing_of_rule(connection: Connection, rule: str) -> list[IncidentRow]:
    """What this rule says is going on, oldest first."""
    return _rows(connection, _select().where(incident.c.rule == rule, incident.c.status == "firing"))


def firing_alerts(connection: Connection, alertnames: Sequence[str]) -> list[IncidentRow]:
    """What is going on of these alerts, oldest first."""
    is_of = incident.c.labels["alertname"].astext.in_(alertnames)
    return _rows(connection, _select().where(incident.c.status == "firing", is_of))


def detected_between(connection: Connection, start: datetime, end: datetime) -> list[IncidentRow]:
    """Incidents detected in [start, end] of event time, oldest first."""
    # starts_at has the index; it lies at most a week (the longest window) before detected_at.
    return _rows(
        connection,
        _select().where(
            incident.c.starts_at >= start - LONGEST_WINDOW,
            incident.c.starts_at <= end,
            incident.c.detected_at.between(start, end),
        ),
    )


def newest(
    connection: Connection,
    *,
    status: AlertStatus | None = None,
    state: IncidentState | None = None,
    limit: int = 50,
) -> list[IncidentRow]:
    """Incidents, newest first; `status` firing takes acknowledged ones, too, and none that is pending."""
    query = _select().order_by(None).order_by(incident.c.starts_at.desc(), incident.c.id.desc()).limit(limit)
    if status is not None:
        query = query.where(incident.c.state.in_(STATES[status]))
    return _rows(connection, query if state is None else query.where(incident.c.state == state))


def one(connection: Connection, incident_id: int) -> IncidentRow:
    """Raises:
    NotFoundError: there is no such incident.
    """
    found = by_ids(connection, [incident_id])
    if not found:
        raise NotFoundError(f"there is no incident {incident_id}", remedy="opinion alerts list")
    return found[0]


def firing(connection: Connection) -> list[IncidentRow]:
    """All that fire by the counts, oldest first."""
    return _rows(connection, _select().where(incident.c.status == "firing"))


def alive_between(connection: Connection, start: datetime, end: datetime) -> list[IncidentRow]:
    """Incidents that were open at some time of [start, end) of the wall clock, oldest first."""
    began = func.coalesce(incident.c.opened_at, incident.c.created_at)
    is_open = or_(incident.c.state != "resolved", incident.c.over_at >= start, incident.c.closed_at >= start)
    return _rows(connection, _select().where(began < end, is_open))


def note_times(connection: Connection, opened: Sequence[int], over: Sequence[int], now: datetime) -> None:
    """These were found to hold, or to fire again, and those to be over, now by the wall clock."""
    values = {"opened_at": func.coalesce(incident.c.opened_at, now), "over_at": None}
    connection.execute(update(incident).where(incident.c.id.in_(opened)).values(**values))
    connection.execute(update(incident).where(incident.c.id.in_(over)).values(over_at=now))


def open_incident(connection: Connection, **values: Any) -> int:
    """Insert an incident; returns its id."""
    return int(connection.execute(insert(incident).values(**values).returning(incident.c.id)).scalar_one())


def change(connection: Connection, incident_id: int, **values: Any) -> None:
    """Set columns of an incident."""
    connection.execute(update(incident).where(incident.c.id == incident_id).values(**values, updated_at=func.now()))


def end(connection: Connection, incident_id: int) -> None:
    """Resolve an incident at the time it last fired."""
    change(connection, incident_id, status="resolved", ends_at=incident.c.last_fired_at)


def add_event(
    connection: Connection, incident_id: int, transition: str, *, actor: str, detail: dict[str, Any] | None = None
) -> None:
    """Write a line of the incident's history."""
    connection.execute(
        insert(incident_event).values(
            incident_id=incident_id, transition=transition, actor=actor, detail=detail or {}
        )
    )


def freeze_evidence(
    connection: Connection, incident_id: int, body: dict[str, Any], judgement: dict[str, Any] | None = None
) -> None:
    """Keep what a decision was based on; `judgement` is what the detector knew, for whoever recomputes it."""
    connection.execute(insert(evidence).values(incident_id=incident_id, body=body, judgement=judgement))


@dataclass(frozen=True, slots=True)
class FrozenEvidence:
    """What a decision was based on, and when (the wall clock) it was frozen."""

    at: datetime
    body: dict[str, Any]
    judgement: dict[str, Any] | None


def frozen_evidence(connection: Connection, incident_id: int) -> list[FrozenEvidence]:
    """All evidence of an incident, newest first."""
    rows = connection.execute(
        select(evidence.c.at, evidence.c.body, evidence.c.judgement)
        .where(evidence.c.incident_id == incident_id)
        .order_by(evidence.c.id.desc())
    )
    return [FrozenEvidence(**row._mapping) for row in rows]


def newest_evidence(connection: Connection, incident_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The last frozen evidence of each incident that has one."""
    rows = connection.execute(
        select(evidence.c.incident_id, evidence.c.body)
        .where(evidence.c.incident_id.in_(incident_ids))
        .order_by(evidence.c.id)
    )
    return {row.incident_id: row.body for row in rows}  # the last one stays


def _select() -> Select[Any]:
    told = (
        select(incident_event.c.detail["status"].astext)
        .where(incident_event.c.incident_id == incident.c.id, incident_event.c.transition == TOLD)
        .order_by(incident_event.c.id.desc())
        .limit(1)
        .scalar_subquery()
        .label("told")
    )
    columns = [incident.c[name] for name in IncidentRow.__dataclass_fields__ if name != "told"]
    return select(*columns, told).order_by(incident.c.starts_at, incident.c.id)


def _rows(connection: Connection, query: Select[Any]) -> list[IncidentRow]:
    def row_of(row: Row[Any]) -> IncidentRow:
        return IncidentRow(**row._mapping)

    return [row_of(row) for row in connection.execute(query)]
