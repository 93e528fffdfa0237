"""What people say of incidents, and how often each rule was right by it.

Append-only; a person's newest word counts.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from sqlalchemy import Connection, insert, select, text

from core.errors import NotFoundError
from storage.tables import incident, incident_feedback

Verdict = Literal["useful", "noise", "late"]


class FeedbackRow(NamedTuple):
    """One person's word."""

    verdict: Verdict
    comment: str
    given_by: str
    given_at: datetime


@dataclass(frozen=True, slots=True)
class Precision:
    """How a rule's incidents were taken. Each incident counts once, by what most people say of it last; where as many
    say one thing as another, the kinder one counts.

    Attributes:
        incidents: all there are of the rule.
        late: true, but told too late.
    """

    incidents: int = 0
    useful: int = 0
    late: int = 0
    noise: int = 0

    @property
    def precision(self) -> float | None:
        """The share of true ones among those that people spoke of; None before anybody did."""
        told = self.useful + self.late + self.noise
        return (self.useful + self.late) / told if told else None


@dataclass(frozen=True, slots=True)
class JudgedIncident:
    """An incident that people spoke of."""

    id: int
    rule: str
    labels: dict[str, str]
    starts_at: datetime
    ends_at: datetime
    verdict: Verdict


def give(connection: Connection, incident_id: int, verdict: Verdict, *, by: str, comment: str = "") -> None:
    """Say something of an incident.

    Raises:
        NotFoundError: there is no such incident.
    """
    if connection.scalar(select(incident.c.id).where(incident.c.id == incident_id)) is None:
        raise NotFoundError(f"there is no incident {incident_id}", remedy="opinion alerts list")
    row = {"incident_id": incident_id, "verdict": verdict, "comment": comment, "given_by": by}
    connection.execute(insert(incident_feedback).values(row))


def of_incident(connection: Connection, incident_id: int) -> list[FeedbackRow]:
    """Everything that was said, oldest first."""
    said = incident_feedback.c
    columns = [said[name] for name in FeedbackRow._fields]
    query = select(*columns).where(said.incident_id == incident_id).order_by(said.id)
    return [FeedbackRow(*row) for row in connection.execute(query)]


# mode() takes the first of values that are equally frequent: the kindest.
_OF_INCIDENTS = """
    SELECT incident_id, (ARRAY['useful', 'late', 'noise'])[mode() WITHIN GROUP (
        ORDER BY array_position(ARRAY['useful', 'late', 'noise'], verdict))] AS verdict
    FROM (
        SELECT DISTINCT ON (incident_id, given_by) incident_id, verdict
        FROM incident_feedback ORDER BY incident_id, given_by, id DESC
    ) AS newest
    GROUP BY incident_id
"""
_PRECISION = text(f"""
    SELECT i.rule, count(*) AS incidents, count(*) FILTER (WHERE f.verdict = 'useful') AS useful,
           count(*) FILTER (WHERE f.verdict = 'late') AS late, count(*) FILTER (WHERE f.verdict = 'noise') AS noise
    FROM incident AS i LEFT JOIN ({_OF_INCIDENTS}) AS f ON f.incident_id = i.id
    GROUP BY i.rule
""")  # noqa: S608  # our own query
_JUDGED = text(f"""
    SELECT i.id, i.rule, i.labels, i.starts_at, coalesce(i.ends_at, i.last_fired_at) AS ends_at, f.verdict
    FROM incident AS i JOIN ({_OF_INCIDENTS}) AS f ON f.incident_id = i.id
    WHERE i.starts_at >= :start AND i.starts_at < :end AND i.labels ->> 'alertname' = ANY(:alertnames)
    ORDER BY i.starts_at, i.id
""")  # noqa: S608  # our own query


def precision_by_rule(connection: Connection) -> dict[str, Precision]:
    """Of every rule that ever opened an incident."""
    rows = connection.execute(_PRECISION)
    return {row.rule: Precision(row.incidents, row.useful, row.late, row.noise) for row in rows}


def judged_incidents(
    connection: Connection, start: datetime, end: datetime, alertnames: tuple[str, ...]
) -> list[JudgedIncident]:
    """Incidents of these alerts that began in [start, end) and that people spoke of, oldest first."""
    rows = connection.execute(_JUDGED, {"start": start, "end": end, "alertnames": list(alertnames)})
    return [JudgedIncident(**row._mapping) for row in rows]
