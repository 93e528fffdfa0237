"""Counts per hour and local day, rolled up from the minute counts.

A trigger marks the hour of every minute that changes, in the transaction that changes it, whoever changes it
(`stale_hour`; migration 0034). The views `*_per_hour` and `*_per_day` take an hour or a day from its roll-up while
nothing marks it, and else sum the minutes: so they equal the minute counts at every moment, however far the folding
below has come. docs/why/queries.md has the reasons.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, text

from storage.tables import (
    opinion_day,
    opinion_hour,
    source_day,
    source_hour,
    topic_hour,
    watchlist_day,
    watchlist_hour,
    watchlist_total_hour,
)

QUIET: Final = timedelta(seconds=5)
"""An hour that changed so recently is left alone: it is likely to change again, and was summed for nothing then."""
HOURS_AT_ONCE: Final = 24
DAYS_AT_ONCE: Final = 4


@dataclass(frozen=True)
class RollUp:
    """The roll-ups of one table of minute counts."""

    minutes: str
    hours: tuple[str, ...]
    days: tuple[str, ...]


HOURS: Final = (opinion_hour, topic_hour, source_hour, watchlist_hour, watchlist_total_hour)
DAYS: Final = (opinion_day, source_day, watchlist_day)
ROLL_UPS: Final = (
    RollUp(
        "opinion_minute", (opinion_hour.name, topic_hour.name, source_hour.name), (opinion_day.name, source_day.name)
    ),
    RollUp("watchlist_minute", (watchlist_hour.name, watchlist_total_hour.name), (watchlist_day.name,)),
)
_COUNTS: Final = "total, negative, neutral, positive, copies, negative_copies, neutral_copies, positive_copies"
_COLUMNS: Final = {table.name: ", ".join(column.name for column in table.columns) for table in (*HOURS, *DAYS)}


def view_of(table: str) -> str:
    """The view that is right at every moment, of a roll-up."""
    name, _, unit = table.rpartition("_")
    return f"{name}_per_{unit}"


def fold_hours(connection: Connection, roll_up: RollUp, quiet: timedelta = QUIET, most: int = HOURS_AT_ONCE) -> int:
    """Roll up hours that were marked and have been left alone since, the newest first; returns how many.

    Args:
        connection: in a REPEATABLE READ transaction: a mark that comes meanwhile is not seen, and stays.
    """
    asked = {"counts": roll_up.minutes, "quiet": quiet, "most": most}
    hours = list(connection.scalars(_QUIET_HOURS, asked))
    if not hours:
        return 0
    for table in roll_up.hours:
        _replace(connection, table, "bucket_at", hours)
    values = {"counts": roll_up.minutes, "hours": hours}
    connection.execute(_MARK_DAYS, values)
    connection.execute(text("DELETE FROM stale_hour WHERE counts = :counts AND bucket_at = ANY(:hours)"), values)
    return len(hours)


def fold_days(connection: Connection, roll_up: RollUp, most: int = DAYS_AT_ONCE) -> int:
    """Roll up days of which all hours are; returns how many. Like `fold_hours`."""
    connection.execute(text("SELECT zone FROM reporting_zone FOR SHARE"))  # days begin elsewhere in another one
    days = list(connection.scalars(_QUIET_DAYS, {"counts": roll_up.minutes, "most": most}))
    if not days:
        return 0
    for table in roll_up.days:
        _replace(connection, table, "local_day", days)
    values = {"counts": roll_up.minutes, "days": days}
    connection.execute(text("DELETE FROM stale_day WHERE counts = :counts AND local_day = ANY(:days)"), values)
    return len(days)


def thin_marks(connection: Connection) -> int:
    """Keep of each hour's marks the newest: an hour that never rests has one for every batch."""
    return connection.execute(_THIN).rowcount


def waiting(connection: Connection) -> int:
    """How many hours are read from their minutes, until they are rolled up."""
    count = "SELECT count(*) FROM (SELECT DISTINCT counts, bucket_at FROM stale_hour) AS hour"
    return connection.scalar(text(count)) or 0


def _replace(connection: Connection, table: str, key: str, buckets: list[Any]) -> None:
    """What is marked is summed by the view, so the view says what the roll-up has to be."""
    connection.execute(
        text(f"DELETE FROM {table} WHERE {key} = ANY(:buckets)"),  # noqa: S608  # our own names
        {"buckets": buckets},
    )
    columns = _COLUMNS[table]
    connection.execute(
        text(
            f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {view_of(table)} "  # noqa: S608
            f"WHERE {key} = ANY(:buckets) AND ({_COUNTS}) <> (0, 0, 0, 0, 0, 0, 0, 0)"
        ),
        {"buckets": buckets},
    )


_QUIET_HOURS: Final = text("""
    SELECT bucket_at FROM stale_hour WHERE counts = :counts
    GROUP BY bucket_at HAVING max(marked_at) <= now() - CAST(:quiet AS interval)
    ORDER BY bucket_at DESC LIMIT :most
""")
_MARK_DAYS: Final = text("""
    INSERT INTO stale_day (counts, local_day)
    SELECT DISTINCT :counts, (at AT TIME ZONE z.zone)::date
    FROM reporting_zone AS z, unnest(CAST(:hours AS timestamptz[])) AS hour(start),
         LATERAL (VALUES (start), (start + interval '59 minutes')) AS edge(at)
    ORDER BY 2 ON CONFLICT DO NOTHING
""")
_QUIET_DAYS: Final = text("""
    SELECT d.local_day FROM stale_day AS d
    JOIN unclean_day AS u ON u.counts = d.counts AND u.local_day = d.local_day
    WHERE d.counts = :counts AND NOT EXISTS (
        SELECT FROM stale_hour AS s WHERE s.counts = d.counts AND s.bucket_at < u.end_at
          AND s.bucket_at > u.start_at - interval '1 hour'
    )
    ORDER BY d.local_day DESC LIMIT :most
""")
_THIN: Final = text("""
    DELETE FROM stale_hour AS s USING (
        SELECT counts, bucket_at, max(id) AS newest FROM stale_hour GROUP BY counts, bucket_at HAVING count(*) > 1
    ) AS kept
    WHERE s.counts = kept.counts AND s.bucket_at = kept.bucket_at AND s.id < kept.newest
""")

_DIFFERENCES: Final = {
    name: text(f"""
        WITH counted AS (
            SELECT {bucket} AS bucket_at, sum(total)::bigint AS total, sum(negative)::bigint AS negative,
                   sum(positive)::bigint AS positive, sum(negative_copies)::bigint AS negative_copies
            FROM {minutes}, reporting_zone AS z WHERE bucket_at >= :begin AND bucket_at < :end GROUP BY 1
        ), rolled AS (
            SELECT bucket_at, sum(total)::bigint AS total, sum(negative)::bigint AS negative,
                   sum(positive)::bigint AS positive, sum(negative_copies)::bigint AS negative_copies
            FROM {view_of(name)} WHERE bucket_at >= :begin AND bucket_at < :end GROUP BY 1
        )
        SELECT '{name}' AS roll_up, bucket_at, coalesce(c.total, 0) AS counted, coalesce(r.total, 0) AS rolled_up
        FROM counted AS c FULL JOIN rolled AS r USING (bucket_at)
        WHERE (coalesce(c.total, 0), coalesce(c.negative, 0), coalesce(c.positive, 0), coalesce(c.negative_copies, 0))
           <> (coalesce(r.total, 0), coalesce(r.negative, 0), coalesce(r.positive, 0), coalesce(r.negative_copies, 0))
        ORDER BY bucket_at
    """)  # noqa: S608  # our own names
    for one in ROLL_UPS
    for minutes in (one.minutes,)
    for name, bucket in (
        *((hour, "date_trunc('hour', bucket_at, 'UTC')") for hour in one.hours),
        *((day, "date_trunc('day', bucket_at, z.zone)") for day in one.days),
    )
}


@dataclass(frozen=True)
class RolledUpDifference:
    """A bucket whose roll-up is not the sum of its minutes; there must be none."""

    roll_up: str
    bucket_at: datetime
    counted: int
    rolled_up: int


def differences(connection: Connection, begin: datetime, end: datetime) -> list[RolledUpDifference]:
    """Hold the roll-ups of [begin, end), widened to whole local days, against the minutes, bucket by bucket."""
    span = connection.execute(_WHOLE_DAYS, {"begin": begin, "end": end}).one()._asdict()
    return [
        RolledUpDifference(**row._mapping)
        for query in _DIFFERENCES.values()
        for row in connection.execute(query, span)
    ]


_WHOLE_DAYS: Final = text("""
    SELECT date_trunc('day', CAST(:begin AS timestamptz), zone) AS begin,
           date_trunc('day', CAST(:end AS timestamptz) + interval '1 day', zone) AS end
    FROM reporting_zone
""")
