"""What is known of each source: what is usual, how it is now, and when it was silent."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from core.errors import NotFoundError
from storage.tables import source, source_silence

SourceState = Literal["new", "ok", "late", "silent", "ended"]

ALL_SOURCES = ""
"""The name under which all of them together are kept; no source is called so."""


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One source; `first_at` and `last_at` are minutes of `published_at`, the other times are of the wall clock.

    Attributes:
        live_since: when it was first seen to bring something while the scheduler looked.
        seen_at: when it was last seen to bring something.
        expected: documents an hour, by hour of the local week (Monday 0:00 first); None: too little is known.
        gaps: how many documents were expected in each of its newest pauses.
        chance: of nothing for as long as now, from a source that is well.
    """

    name: str
    first_at: datetime
    last_at: datetime
    live_since: datetime | None = None
    seen_at: datetime | None = None
    expected: list[float] | None = None
    learned_at: datetime | None = None
    gaps: Sequence[float] = ()
    state: SourceState = "new"
    state_since: datetime | None = None
    chance: float | None = None
    muted_until: datetime | None = None


class Silence(NamedTuple):
    """A stretch of `published_at` in which nothing came though something should have; None: it goes on."""

    starts_at: datetime
    ends_at: datetime | None


_COLUMNS = [source.c[name] for name in SourceRow.__dataclass_fields__]
_OF_PERSONS = {"name", "muted_until"}  # what `save` leaves alone


def load(connection: Connection) -> dict[str, SourceRow]:
    """Every source by name, and that of all together."""
    rows = connection.execute(select(*_COLUMNS).order_by(source.c.name))
    return {row.name: SourceRow(**row._mapping) for row in rows}


def save(connection: Connection, rows: Iterable[SourceRow]) -> None:
    """Insert or replace all but what people set."""
    values = [{name: getattr(row, name) for name in SourceRow.__dataclass_fields__} for row in rows]
    if not values:
        return
    for one in values:
        one["gaps"] = list(one["gaps"])
    statement = insert(source)
    changed = {c.name: statement.excluded[c.name] for c in _COLUMNS if c.name not in _OF_PERSONS}
    connection.execute(
        statement.on_conflict_do_update(index_elements=[source.c.name], set_=changed | {"updated_at": func.now()}),
        values,
    )


def mute(connection: Connection, name: str, until: datetime | None) -> None:
    """Tell nobody of this source until then; None: tell again.

    Raises:
        NotFoundError: no source of this name has been seen.
    """
    found = connection.execute(update(source).where(source.c.name == name).values(muted_until=until))
    if not found.rowcount or name == ALL_SOURCES:
        raise NotFoundError(f"there is no source {name!r}", remedy="opinion sources list")


_HOURS = text("""
    SELECT date_trunc('hour', bucket_at, 'UTC') AS hour, sum(total) AS total FROM opinion_minute
    WHERE source = :source AND bucket_at >= :start AND bucket_at < :end AND total > 0 GROUP BY 1
""")
_FIRST = text("SELECT min(bucket_at) FROM opinion_minute WHERE source = :source AND total > 0")


def hourly_counts(connection: Connection, name: str, start: datetime, end: datetime) -> dict[datetime, int]:
    """Documents of a source by hour of `published_at`, in [start, end); hours without any are left out."""
    rows = connection.execute(_HOURS, {"source": name, "start": start, "end": end})
    return {row.hour: int(row.total) for row in rows}


def first_minute(connection: Connection, name: str) -> datetime | None:
    """The minute of its oldest document."""
    found: datetime | None = connection.execute(_FIRST, {"source": name}).scalar_one()
    return found


def note_silences(connection: Connection, starts: Mapping[str, datetime], ends: Mapping[str, datetime]) -> None:
    """Sources that fell silent, and those that came back, by name."""
    if starts:
        rows: list[dict[str, Any]] = [{"source": name, "starts_at": at} for name, at in sorted(starts.items())]
        connection.execute(insert(source_silence).on_conflict_do_nothing(), rows)
    lasting = connection.scalars(select(source_silence.c.source).where(source_silence.c.ends_at.is_(None))).all()
    for name, at in ((name, ends[name]) for name in sorted(lasting) if name in ends):
        connection.execute(
            update(source_silence)
            .where(source_silence.c.source == name, source_silence.c.ends_at.is_(None))
            .values(ends_at=at)
        )


def silences(connection: Connection) -> dict[str, list[Silence]]:
    """By source, oldest first."""
    found: defaultdict[str, list[Silence]] = defaultdict(list)
    for row in connection.execute(select(source_silence).order_by(source_silence.c.starts_at)):
        found[row.source].append(Silence(row.starts_at, row.ends_at))
    return dict(found)
