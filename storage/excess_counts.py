"""The counts that explain an excess: per bucket, and per source, topic or watchlist. Reads minute counts only.

What is counted is what the detector judged: independent voices. Copies are told beside, and not counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import Connection

from storage import bucket_counts
from storage.bucket_counts import Counted, Dimension, KeyTotal

Grouping = Literal["source", "topic", "watchlist"]
MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which documents a series counts; with watchlists, one for each that it mentions, and negative means toward it.

    Attributes:
        where: by dimension, the values they have; none: any.
        counted: negative voices, or all.
    """

    where: Mapping[Dimension, Sequence[str]] = field(default_factory=dict)
    counted: Counted = "negative"

    def __post_init__(self) -> None:
        object.__setattr__(self, "where", {name: tuple(values) for name, values in self.where.items() if values})

    def only(self, dimension: Dimension) -> str | None:
        """The one value that it counts of a dimension; None where it leaves a choice."""
        values = self.where.get(dimension, ())
        return values[0] if len(values) == 1 else None

    def narrowed(self, dimension: Dimension, value: str) -> "Scope":
        """What of it has this value."""
        return Scope({**self.where, dimension: (value,)}, self.counted)


def per_bucket(
    connection: Connection, scope: Scope, bucket: timedelta, start: datetime, end: datetime
) -> dict[datetime, tuple[int, int]]:
    """What the detector is given for each bucket of [start, end); buckets without documents are left out."""
    rows = bucket_counts.counts(
        connection, by=(), source=None, bucket=bucket, start=start, end=end, where=scope.where
    )
    return {row.bucket_at: row.judged(scope.counted) for row in rows}


def per_group(connection: Connection, by: Grouping, scope: Scope, start: datetime, end: datetime) -> list[KeyTotal]:
    """What there is by value in [start, end). By watchlist: of those that mention it, negative toward it; who
    mentions several counts for each."""
    return bucket_counts.group_totals(connection, by, start, end, where=scope.where)


def whole(connection: Connection, scope: Scope, start: datetime, end: datetime) -> KeyTotal:
    """All there is in [start, end)."""
    found = bucket_counts.key_totals(connection, (), start, end, where=scope.where)
    return found[0] if found else KeyTotal((), 0, 0, 0, 0)


def counted_minutes(
    connection: Connection, scope: Scope, start: datetime, end: datetime, *, is_copies: bool = False
) -> list[tuple[datetime, int]]:
    """The minutes of [start, end) that hold what is counted, or copies of such, in order, with how many."""

    def count(row: bucket_counts.BucketCount) -> int:
        if is_copies:
            return row.negative_copies if scope.counted == "negative" else row.copies
        return row.judged(scope.counted)[0]

    rows = bucket_counts.counts(
        connection, by=(), source=None, bucket=MINUTE, start=start, end=end, where=scope.where
    )
    return [(row.bucket_at, count(row)) for row in rows if count(row) > 0]
