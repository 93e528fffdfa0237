"""The search indexes: GIN on `search_vector`, each over a slice of a month, so that storing documents costs nothing.

A GIN index doubles or triples the cost of storing a document. So none covers the newest documents: once enough of
them have come, and their minutes lie some way back, an index over these minutes is built beside the running system
(CREATE INDEX CONCURRENTLY … WHERE published_at in the slice). Small slices are replaced by larger ones; documents
that come late into a slice are indexed as they are stored. Slices of a month follow each other from its beginning,
without gaps. What follows the last one is searched by reading it.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, text

from core.windows import MINUTE
from storage.series import Span

MERGED: Final = 8  # so many slices of like size become one
LARGEST: Final = 400_000  # documents in a slice of a closed month; all hits of a slice are read before the newest 20
MOST_SLICES: Final = 16  # or so, in a closed month, however large
_NAME: Final = re.compile(r"(document_y(\d{4})m(\d{2}))_search_(\d{12})_(\d{12})")
_MINUTE: Final = "%Y%m%d%H%M"


@dataclass(frozen=True, slots=True)
class Slice:
    """One index. `documents` is how many there were when it was built; 0 when that is unknown."""

    name: str
    partition: str
    span: Span
    documents: int
    is_valid: bool


@dataclass(frozen=True, slots=True)
class Month:
    """One partition of `document`."""

    partition: str
    span: Span


def read_months(connection: Connection) -> list[Month]:
    """All partitions, the oldest first."""
    names = connection.scalars(
        text("""
            SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
            WHERE i.inhparent = 'document'::regclass AND c.relname ~ '^document_y[0-9]{4}m[0-9]{2}$' ORDER BY 1
        """)
    )
    return [Month(name, month_of(int(name[10:14]), int(name[15:17]))) for name in names]


def month_of(year: int, month: int) -> Span:
    """A month in UTC."""
    return Span(datetime(year, month, 1, tzinfo=UTC), datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC))


def read_slices(connection: Connection) -> list[Slice]:
    """All search indexes, also those that are being built or were left half built."""
    rows = connection.execute(
        text("""
            SELECT c.relname, i.indisvalid AND i.indisready, obj_description(c.oid, 'pg_class')
            FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
            JOIN pg_inherits AS p ON p.inhrelid = i.indrelid
            WHERE p.inhparent = 'document'::regclass AND c.relname ~ '_search_[0-9]{12}_[0-9]{12}$' ORDER BY 1
        """)
    )
    found = []
    for name, is_valid, about in rows:
        if match := _NAME.fullmatch(name):
            start, end = (datetime.strptime(match[nth], _MINUTE).replace(tzinfo=UTC) for nth in (4, 5))
            counted = re.search(r"\d+", about or "")
            found.append(Slice(name, match[1], Span(start, end), int(counted[0]) if counted else 0, is_valid))
    return found


def cover(slices: Iterable[Slice], span: Span) -> list[tuple[Span, Span | None]]:
    """The span in pieces, the newest first, each with the whole span of the index that covers it, if one does. The
    largest indexes are taken."""
    chosen: list[Span] = []
    for one in sorted(slices, key=lambda one: one.span.length, reverse=True):
        if one.is_valid and all(one.span.end <= other.start or one.span.start >= other.end for other in chosen):
            chosen.append(one.span)
    pieces: list[tuple[Span, Span | None]] = []
    end = span.end
    for one_span in sorted(chosen, key=lambda one: one.start, reverse=True):
        start, until = max(one_span.start, span.start), min(one_span.end, end)
        if start >= until:
            continue
        if until < end:
            pieces.append((Span(until, end), None))
        pieces.append((Span(start, until), one_span))
        end = start
    if span.start < end:
        pieces.append((Span(span.start, end), None))
    return pieces


def obsolete(slices: Sequence[Slice]) -> list[Slice]:
    """Indexes that were left half built, or that lie within a larger one."""
    return [
        one
        for one in slices
        if not one.is_valid
        or any(
            other is not one
            and other.is_valid
            and other.span.start <= one.span.start
            and one.span.end <= other.span.end
            for other in slices
            if other.partition == one.partition
        )
    ]


def next_merge(slices: Sequence[Slice], size: int, *, is_complete: bool) -> Span | None:
    """Which neighbouring slices of a month should become one; None when they are few enough.

    Args:
        slices: of the month, in order and without overlap.
        size: documents in the smallest slices.
        is_complete: the month is closed and covered whole.
    """
    if is_complete:
        largest = max(LARGEST, sum(one.documents for one in slices) // MOST_SLICES)
        return _first_group(slices, largest)
    limit = size * MERGED
    while limit <= LARGEST:
        tail: list[Slice] = []
        for one in reversed(slices):
            if one.documents >= limit:
                break
            tail.insert(0, one)
        if len(tail) >= MERGED:
            return Span(tail[0].span.start, tail[-1].span.end)
        limit *= MERGED
    return None


def _first_group(slices: Sequence[Slice], largest: int) -> Span | None:
    group: list[Slice] = []
    for one in [*slices, None]:
        if one is not None and sum(other.documents for other in group) + one.documents <= largest:
            group.append(one)
            continue
        if len(group) > 1:
            return Span(group[0].span.start, group[-1].span.end)
        group = [one] if one is not None else []
    return None


def next_stretch(waiting: Sequence[tuple[datetime, int]], frontier: datetime, end: datetime) -> tuple[Span, int]:
    """The next slice beyond `frontier`, and how many documents it has: all up to `end`, or as many as a slice holds.

    Args:
        waiting: documents per minute from `frontier` to `end`, in order.
    """
    documents = 0
    for minute, count in waiting:
        documents += count
        if documents >= LARGEST and minute + MINUTE < end:
            return Span(frontier, minute + MINUTE), documents
    return Span(frontier, end), documents


def waiting_documents(connection: Connection, span: Span) -> list[tuple[datetime, int]]:
    """Documents per minute, where there are any."""
    rows = connection.execute(
        text("""
            SELECT bucket_at, sum(total) FROM opinion_minute
            WHERE bucket_at >= :start AND bucket_at < :end AND total > 0 GROUP BY 1 ORDER BY 1
        """),
        {"start": span.start, "end": span.end},
    )
    return [(at, int(count)) for at, count in rows]


def build(connection: Connection, partition: str, span: Span, documents: int) -> str:
    """Build one index without keeping anybody from writing; blocks for as long as that takes. Returns its name.

    Args:
        connection: in autocommit.
        partition, span: of `read_months`, and whole minutes within it.
    """
    name = f"{partition}_search_{span.start:{_MINUTE}}_{span.end:{_MINUTE}}"
    connection.execute(
        text(
            f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {partition} USING gin (search_vector(title, text)) "
            f"WHERE published_at >= '{span.start.isoformat()}' AND published_at < '{span.end.isoformat()}'"
        )
    )
    connection.execute(text(f"COMMENT ON INDEX {name} IS '{documents} documents when it was built'"))
    return name


def drop(connection: Connection, name: str) -> None:
    """Drop one index of `read_slices` without keeping anybody from reading; in autocommit."""
    connection.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {name}"))
