"""What the detector had learned of one series when its incidents were told, and how many voices it counted."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Interval, cast, func, literal, or_, select

from storage.bucket_counts import Where, voices_where
from storage.series import Buckets, Span
from storage.tables import evidence, incident

MOST_INCIDENTS = 20


class JudgedStretch(NamedTuple):
    """One incident of a series; `judgement` is of the first evidence that has one, so that the surge has taught
    the detector least."""

    starts_at: datetime
    ends_at: datetime | None
    judgement: dict[str, Any]


def judged_stretches(connection: Connection, fingerprint: str, span: Span, before: timedelta) -> list[JudgedStretch]:
    """The newest incidents of this series that lie in the span or at most `before` after it, oldest first."""
    i, e = incident.c, evidence.c
    wanted = (
        select(i.id, i.starts_at, i.ends_at)
        .where(i.fingerprint == fingerprint, i.starts_at < span.end + before)
        .where(or_(i.ends_at.is_(None), i.ends_at >= span.start))
        .order_by(i.starts_at.desc())
        .limit(MOST_INCIDENTS)
        .subquery()
    )
    rows = connection.execute(
        select(wanted.c.starts_at, wanted.c.ends_at, e.judgement)
        .join(evidence, e.incident_id == wanted.c.id)
        .where(e.judgement.is_not(None))
        .distinct(wanted.c.starts_at, wanted.c.id)
        .order_by(wanted.c.starts_at, wanted.c.id, e.id)
    )
    return [JudgedStretch(*row) for row in rows]


def independent_negatives(connection: Connection, buckets: Buckets, where: Where) -> list[int]:
    """Negative documents that are nobody's copy, by bucket: what the detector counts."""
    counted, wanted = voices_where(buckets.span.start, buckets.span.end, where)
    step = cast(literal(buckets.step), Interval)
    start = func.date_bin(step, counted.c.bucket_at, literal(buckets.starts[0]))
    query = select(start, func.sum(counted.c.negative - counted.c.negative_copies)).where(*wanted).group_by(start)
    found = {at: int(count) for at, count in connection.execute(query)}
    return [found.get(at, 0) for at in buckets.starts]
