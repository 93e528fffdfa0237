"""Which incidents are told as parts of others."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import Connection, or_, select
from sqlalchemy.dialects.postgresql import insert

from storage import incidents
from storage.incidents import IncidentRow
from storage.tables import incident, incident_member


def add(connection: Connection, incident_id: int, member_ids: Iterable[int]) -> list[int]:
    """Note these as parts of it; returns those that were not known."""
    rows = [{"incident_id": incident_id, "member_id": member} for member in sorted(set(member_ids) - {incident_id})]
    if not rows:
        return []
    statement = insert(incident_member).values(rows).on_conflict_do_nothing()
    return list(connection.scalars(statement.returning(incident_member.c.member_id)))


def of(connection: Connection, incident_ids: Sequence[int]) -> dict[int, list[IncidentRow]]:
    """The parts of each of these, oldest first."""
    pairs = connection.execute(
        select(incident_member.c.incident_id, incident_member.c.member_id).where(
            incident_member.c.incident_id.in_(incident_ids)
        )
    ).all()
    rows = incidents.by_ids(connection, [pair.member_id for pair in pairs]) if pairs else []
    whole_of: defaultdict[int, set[int]] = defaultdict(set)
    for pair in pairs:
        whole_of[pair.incident_id].add(pair.member_id)
    return {whole: [row for row in rows if row.id in members] for whole, members in whole_of.items()}


def inside(connection: Connection, incident_ids: Sequence[int], *, rule: str, changed: Collection[int]) -> set[int]:
    """Those of these incidents that are parts of one of this rule which fires, or is among the changed ones."""
    return set(
        connection.scalars(
            select(incident_member.c.member_id)
            .join(incident, incident.c.id == incident_member.c.incident_id)
            .where(
                incident_member.c.member_id.in_(incident_ids),
                incident.c.rule == rule,
                or_(incident.c.status == "firing", incident.c.id.in_(changed)),
            )
        )
    )
