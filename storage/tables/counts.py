"""Counts per minute, hour and local day."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from storage.tables.metadata import count, metadata, timestamp

opinion_minute = Table(
    "opinion_minute",
    metadata,
    timestamp("bucket_at"),
    Column("source", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("lang", Text, nullable=False),
    Column("topic_label", Text, nullable=False),
    Column("model_version", Text, nullable=False),
    count("total"),
    count("negative"),
    count("neutral"),
    count("positive"),
    count("copies"),
    count("negative_copies"),
    count("neutral_copies"),
    count("positive_copies"),
    PrimaryKeyConstraint("bucket_at", "source", "kind", "lang", "topic_label", "model_version"),
    Index(None, "source", "bucket_at"),
    comment="Documents per minute of published_at; always equal to the rows of document.",
)

watchlist_minute = Table(
    "watchlist_minute",
    metadata,
    timestamp("bucket_at"),
    Column("watchlist", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("lang", Text, nullable=False),
    Column("topic_label", Text, nullable=False),
    Column("model_version", Text, nullable=False),
    count("total"),
    count("negative"),
    count("neutral"),
    count("positive"),
    count("copies"),
    count("negative_copies"),
    count("neutral_copies"),
    count("positive_copies"),
    PrimaryKeyConstraint("bucket_at", "watchlist", "source", "kind", "lang", "topic_label", "model_version"),
    Index(None, "watchlist", "bucket_at"),
    Index(None, "source", "bucket_at"),
    comment="Documents that mention a watchlist, per minute of published_at, by the sentiment toward it; always "
    "equal to the rows of mention.",
)

reporting_zone = Table(
    "reporting_zone",
    metadata,
    Column("is_only", Boolean, primary_key=True, server_default=text("true")),
    Column("zone", Text, nullable=False),
    CheckConstraint("is_only", name="one_row"),
    comment="One row: the zone of local days in schema bi, the setting timezone.",
)


def _rolled_up(name: str, times: list[Column[object]], key: tuple[str, ...], *indexes: Index, comment: str) -> Table:
    """Counts of longer buckets than minutes; see `storage.rollups`."""
    counts = ("total", "negative", "neutral", "positive", "copies", "negative_copies", "neutral_copies")
    return Table(
        name,
        metadata,
        *times,
        *(Column(one, Text, nullable=False) for one in key),
        *(Column(one, Integer, nullable=False) for one in (*counts, "positive_copies")),
        PrimaryKeyConstraint(times[0].name, *key),
        *indexes,
        comment=comment,
    )


_OF_DOCUMENTS = ("source", "kind", "lang", "topic_label", "model_version")

_OF_MENTIONS = ("watchlist", *_OF_DOCUMENTS)


def _including_counts(*columns: str) -> Index:
    return Index(None, *columns, postgresql_include=["total", "negative", "neutral", "positive"])


opinion_hour = _rolled_up(
    "opinion_hour",
    [timestamp("bucket_at")],
    _OF_DOCUMENTS,
    _including_counts("source", "bucket_at"),
    _including_counts("topic_label", "bucket_at"),
    comment="Documents per hour (UTC), for hours that stale_hour does not name.",
)

topic_hour = _rolled_up(
    "topic_hour",
    [timestamp("bucket_at")],
    ("topic_label", "lang"),
    comment="The same by topic and language alone.",
)

source_hour = _rolled_up(
    "source_hour",
    [timestamp("bucket_at")],
    ("source", "lang"),
    _including_counts("source", "bucket_at"),
    comment="The same by source and language alone.",
)

watchlist_hour = _rolled_up(
    "watchlist_hour",
    [timestamp("bucket_at")],
    _OF_MENTIONS,
    _including_counts("watchlist", "bucket_at"),
    comment="Documents that mention a watchlist per hour (UTC), for hours that stale_hour does not name.",
)

watchlist_total_hour = _rolled_up(
    "watchlist_total_hour",
    [timestamp("bucket_at")],
    ("watchlist", "lang"),
    comment="The same by watchlist and language alone.",
)

source_day = _rolled_up(
    "source_day",
    [Column("local_day", Date, nullable=False), timestamp("bucket_at")],
    ("source", "lang"),
    _including_counts("bucket_at"),
    comment="Documents per local day by source and language alone.",
)

opinion_day = _rolled_up(
    "opinion_day",
    [Column("local_day", Date, nullable=False), timestamp("bucket_at")],
    _OF_DOCUMENTS,
    _including_counts("bucket_at"),
    _including_counts("source", "bucket_at"),
    _including_counts("topic_label", "bucket_at"),
    comment="Documents per local day (reporting_zone), for days that stale_day and stale_hour do not name.",
)

watchlist_day = _rolled_up(
    "watchlist_day",
    [Column("local_day", Date, nullable=False), timestamp("bucket_at")],
    _OF_MENTIONS,
    _including_counts("bucket_at"),
    _including_counts("watchlist", "bucket_at"),
    comment="Documents that mention a watchlist per local day (reporting_zone), likewise.",
)

stale_hour = Table(
    "stale_hour",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("counts", Text, nullable=False),
    timestamp("bucket_at"),
    timestamp("marked_at", is_now=True),
    Index(None, "counts", "bucket_at"),
    comment="Hours (UTC) whose minutes changed since they were rolled up, one row for each time; counts names the "
    "table of the minutes.",
)

stale_day = Table(
    "stale_day",
    metadata,
    Column("counts", Text, primary_key=True),
    Column("local_day", Date, primary_key=True),
    comment="Local days whose hours were rolled up since they were; counts names the table of the minutes.",
)
