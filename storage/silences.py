"""Silences: which incidents people do not want to hear of, from when until when, and who said so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, func, insert, select, update

from core.errors import NotFoundError
from storage.tables import silence


@dataclass(frozen=True, slots=True)
class SilenceRow:
    """Mutes incidents whose labels meet all conditions.

    Attributes:
        conditions: matchers (`alerts.routing.matchers`), all of which have to hold.
        expired_by: who ended it before its time.
    """

    id: int
    conditions: list[str]
    starts_at: datetime
    ends_at: datetime
    created_by: str
    comment: str
    created_at: datetime | None = None
    expired_by: str | None = None


def add(
    connection: Connection,
    conditions: Sequence[str],
    *,
    equal: Mapping[str, str],
    starts_at: datetime,
    ends_at: datetime,
    by: str,
    comment: str = "",
) -> int:
    """A new silence; returns its id.

    Args:
        equal: for schedulers of the version before, which know nothing but equality: by label, the value it must
            have. One that no label ever has is not a silence to them.
    """
    made = connection.execute(
        insert(silence)
        .values(
            matchers=dict(equal),
            conditions=list(conditions),
            starts_at=starts_at,
            ends_at=ends_at,
            created_by=by,
            comment=comment,
        )
        .returning(silence.c.id)
    )
    return int(made.scalar_one())


def active(connection: Connection, now: datetime) -> list[SilenceRow]:
    """Silences in force at `now` (the wall clock)."""
    query = select(silence).where(silence.c.starts_at <= now, silence.c.ends_at > now)
    return [_row(row) for row in connection.execute(query.order_by(silence.c.id))]


def known(connection: Connection, *, ends_after: datetime | None = None, limit: int = 500) -> list[SilenceRow]:
    """Silences, the newest first; `ends_after` leaves out those that are over."""
    query = select(silence).order_by(silence.c.id.desc()).limit(limit)
    if ends_after is not None:
        query = query.where(silence.c.ends_at > ends_after)
    return [_row(row) for row in connection.execute(query)]


def one(connection: Connection, silence_id: int) -> SilenceRow:
    """Raises:
    NotFoundError: there is no such silence.
    """
    row = connection.execute(select(silence).where(silence.c.id == silence_id)).first()
    if row is None:
        raise NotFoundError(f"there is no silence {silence_id}", remedy="opinion alerts silences")
    return _row(row)


def expire(connection: Connection, silence_id: int, *, now: datetime, by: str) -> SilenceRow:
    """End it now; one that is over already stays as it is.

    Raises:
        NotFoundError: there is no such silence.
    """
    connection.execute(
        update(silence)
        .where(silence.c.id == silence_id, silence.c.ends_at > now)
        .values(ends_at=func.greatest(now, silence.c.starts_at), expired_by=by)
    )
    return one(connection, silence_id)


def _row(row: Row[tuple[object, ...]]) -> SilenceRow:
    values = dict(row._mapping)
    matchers = values.pop("matchers")
    if values["conditions"] is None:  # of a scheduler of the version before
        values["conditions"] = [f'{name}="{_escaped(str(value))}"' for name, value in matchers.items()]
    return SilenceRow(**values)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
