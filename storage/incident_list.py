"""The list of incidents: those that meet some filters, page by page, and how many there are of each kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Text, case, cast, func, or_, select

from core.records import AlertStatus, Severity
from storage.incidents import STATES
from storage.queries import Incident
from storage.tables import incident

LABELS: Final = ("watchlist", "topic", "source")
"""Labels that the list can be narrowed by."""
MOST_CHOICES: Final = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """None leaves a field open.

    Attributes:
        text: stands in a label, in the prose, or in the rule's name, whatever its case.
    """

    status: AlertStatus | None = None
    severity: Severity | None = None
    rule: str | None = None
    watchlist: str | None = None
    topic: str | None = None
    source: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """How many incidents meet all filters but the one that is counted by."""

    by_status: dict[str, int]
    by_severity: dict[str, int]


def page(connection: Connection, wanted: Wanted, *, offset: int, limit: int) -> list[Incident]:
    """Firing ones first, then the newest."""
    columns = [incident.c[name] for name in Incident.__dataclass_fields__]
    is_over = case((incident.c.state.in_(STATES["firing"]), 0), else_=1)
    rows = connection.execute(
        select(*columns)
        .where(*_conditions(wanted))
        .order_by(is_over, incident.c.starts_at.desc(), incident.c.id.desc())
        .offset(offset)
        .limit(limit)
    )
    return [Incident(**row._mapping) for row in rows]


def tally(connection: Connection, wanted: Wanted) -> Tally:
    """By status, where pending ones count as neither, and by severity."""
    is_firing = incident.c.state.in_(STATES["firing"])
    is_over = incident.c.state.in_(STATES["resolved"])
    firing, resolved, every = connection.execute(
        select(func.count().filter(is_firing), func.count().filter(is_over), func.count()).where(
            *_conditions(wanted, but="status")
        )
    ).one()
    severities = connection.execute(
        select(incident.c.severity, func.count())
        .where(*_conditions(wanted, but="severity"))
        .group_by(incident.c.severity)
    )
    return Tally({"firing": firing, "resolved": resolved, "all": every}, {name: int(n) for name, n in severities})


def choices(connection: Connection) -> dict[str, list[str]]:
    """What rules and labels there are among all incidents."""
    columns: dict[str, ColumnElement[Any]] = {"rule": incident.c.rule}
    columns |= {name: incident.c.labels[name].astext for name in LABELS}
    return {name: _values(connection, column) for name, column in columns.items()}


def _values(connection: Connection, column: ColumnElement[Any]) -> list[str]:
    query = select(column).distinct().where(column.is_not(None)).order_by(column).limit(MOST_CHOICES)
    found: Sequence[str] = connection.scalars(query).all()
    return list(found)


def _conditions(wanted: Wanted, *, but: str = "") -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.status and but != "status":
        found.append(incident.c.state.in_(STATES[wanted.status]))
    if wanted.severity and but != "severity":
        found.append(incident.c.severity == wanted.severity)
    if wanted.rule:
        found.append(incident.c.rule == wanted.rule)
    found += [incident.c.labels[name].astext == value for name in LABELS if (value := getattr(wanted, name))]
    if wanted.text:
        places = (incident.c.rule, cast(incident.c.labels, Text), cast(incident.c.annotations, Text))
        found.append(or_(*(place.icontains(wanted.text, autoescape=True) for place in places)))
    return found
