"""Incidents, their history, their evidence, and silences."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, or_, select, update

from core.errors import NotFoundError
from core.records import AlertStatus, Severity
from storage.tables import evidence, incident, incident_event, silence

TOLD = "told"  # the event that says what people were last told
LONGEST_WINDOW = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """An incident as it stands; times are of the event clock.

    Attributes:
        told: the status people last heard of it; None: nothing yet.
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


@dataclass(frozen=True, slots=True)
class SilenceRow:
    """Mutes incidents whose labels equal all matchers."""

    id: int
    matchers: dict[str, str]
    starts_at: datetime
    ends_at: datetime
    created_by: str
    comment: str


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


def newest(connection: Connection, *, status: AlertStatus | None = None, limit: int = 50) -> list[IncidentRow]:
    """Incidents, newest first."""
    query = _select().order_by(None).order_by(incident.c.starts_at.desc(), incident.c.id.desc()).limit(limit)
    return _rows(connection, query.where(incident.c.status == status) if status else query)


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


def acknowledge(connection: Connection, incident_id: int, *, by: str) -> IncidentRow:
    """Someone takes care of it; the first name stays.

    Raises:
        NotFoundError: there is no such incident.
    """
    done = connection.execute(
        update(incident)
        .where(incident.c.id == incident_id, incident.c.acknowledged_at.is_(None))
        .values(acknowledged_at=func.now(), acknowledged_by=by, updated_at=func.now())
    )
    if done.rowcount:
        add_event(connection, incident_id, "acknowledged", actor=by)
    found = _rows(connection, _select().where(incident.c.id == incident_id))
    if not found:
        raise NotFoundError(f"there is no incident {incident_id}", remedy="opinion alerts list")
    return found[0]


def add_silence(
    connection: Connection,
    matchers: dict[str, str],
    *,
    starts_at: datetime,
    ends_at: datetime,
    by: str,
    comment: str = "",
) -> int:
    """Mute from now on; returns the silence's id."""
    made = connection.execute(
        insert(silence)
        .values(matchers=matchers, starts_at=starts_at, ends_at=ends_at, created_by=by, comment=comment)
        .returning(silence.c.id)
    )
    return int(made.scalar_one())


def active_silences(connection: Connection, now: datetime) -> list[SilenceRow]:
    """Silences in force at `now` (the wall clock)."""
    rows = connection.execute(
        select(silence).where(silence.c.starts_at <= now, silence.c.ends_at > now).order_by(silence.c.id)
    )
    return [SilenceRow(**row._mapping) for row in rows]


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
