"""Documents and what is known of each: versions, mentions, copies."""

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    Column,
    Date,
    Double,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Sequence,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from storage.tables.metadata import count, metadata, timestamp


def _document_columns() -> list[Column[object]]:
    """What one version of a document holds; shared by `document` and its history."""
    return [
        timestamp("published_at"),
        Column("id", Text, nullable=False),
        Column("revision", Integer, nullable=False),
        Column("kind", Text, nullable=False),
        Column("source", Text, nullable=False),
        Column("lang", Text, nullable=False),
        Column("url", Text),
        Column("title", Text),
        Column("text", Text, nullable=False),
        Column("author", Text),
        Column("parent_id", Text),
        Column("likes", Integer, nullable=False),
        Column("reposts", Integer, nullable=False),
        Column("replies", Integer, nullable=False),
        timestamp("crawled_at"),
        Column("content_hash", LargeBinary, nullable=False),
        Column("topic_label", Text, nullable=False),
        Column("topic_scores", JSONB, nullable=False),
        Column("sentiment", Text, nullable=False),
        Column("score_negative", REAL, nullable=False),
        Column("score_neutral", REAL, nullable=False),
        Column("score_positive", REAL, nullable=False),
        Column("topic_uncertain", Boolean),
        Column("sentiment_uncertain", Boolean),
        Column("mentions", JSONB(none_as_null=True)),
        Column("model_version", Text, nullable=False),
        Column("record_partition", Integer, nullable=False),
        Column("record_offset", BigInteger, nullable=False),
        timestamp("recorded_at"),
        timestamp("stored_at"),
        Column("quoted_text", Text),
        Column("copy_text", BigInteger),
    ]


document_key = Table(
    "document_key",
    metadata,
    Column("id", Text, primary_key=True),
    timestamp("published_at"),
    comment="One row per document id, for good: says which partition of document holds it, and is its lock.",
)

document = Table(
    "document",
    metadata,
    *_document_columns(),
    PrimaryKeyConstraint("published_at", "id"),
    Index(None, "id"),
    Index(None, "parent_id", postgresql_where=text("parent_id IS NOT NULL")),
    Index(None, "source", "published_at"),
    Index(None, "copy_text", postgresql_where=text("copy_text IS NOT NULL")),
    comment="The newest version of each document with its verdict; monthly partitions by published_at.",
    postgresql_partition_by="RANGE (published_at)",
)

document_revision = Table(
    "document_revision",
    metadata,
    *_document_columns(),
    timestamp("replaced_at", is_now=True),
    PrimaryKeyConstraint("id", "revision"),
    Index(None, "published_at"),
    comment="Versions of documents that a newer crawl replaced.",
)

mention = Table(
    "mention",
    metadata,
    timestamp("published_at"),
    Column("document_id", Text, nullable=False),
    Column("watchlist", Text, nullable=False),
    Column("mentions", Integer, nullable=False),
    Column("sentiment", Text, nullable=False),
    Column("score_negative", REAL, nullable=False),
    Column("score_neutral", REAL, nullable=False),
    Column("score_positive", REAL, nullable=False),
    Column("sentiment_uncertain", Boolean, nullable=False),
    Column("model_version", Text, nullable=False),
    PrimaryKeyConstraint("published_at", "document_id", "watchlist"),
    Index(None, "watchlist", "published_at"),
    comment="Sentiment toward each watchlist that the newest version of a document mentions; monthly partitions "
    "by published_at.",
    postgresql_partition_by="RANGE (published_at)",
)

copy_text = Table(
    "copy_text",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("day", Date, nullable=False),
    Column("sketch", LargeBinary, nullable=False),
    Column("shingles", Integer, nullable=False),
    Column("threshold", Double, nullable=False),
    Column("figures", LargeBinary, nullable=False),
    Column("cluster", BigInteger),
    count("documents"),
    timestamp("first_at", nullable=True),
    Column("first_id", Text),
    Column("follows", Boolean, nullable=False, server_default=text("false")),
    Index(None, "cluster", postgresql_where=text("cluster IS NOT NULL")),
    Index(None, "day", postgresql_using="brin"),
    comment="A text that documents of one day have in common, and its signature; cluster is null where its document "
    "has no copies. Its first document is a voice unless it follows: an earlier text is its copy.",
)

copy_band = Table(
    "copy_band",
    metadata,
    Column("key", BigInteger, nullable=False),
    Column("slot", BigInteger, nullable=False),
    Column("node", BigInteger, nullable=False),
    Column("day", Date, nullable=False),
    PrimaryKeyConstraint("key", "slot"),
    comment="Under which keys the texts of copy_text are found; the row of slot 0 is the lock of its key.",
)

copy_cluster = Table(
    "copy_cluster",
    metadata,
    Column("id", BigInteger, Sequence("copy_cluster_id_seq"), primary_key=True, autoincrement=False),
    count("documents"),
    timestamp("first_at"),
    Column("first_id", Text, nullable=False),
    count("parted"),
    comment="Documents that are copies of one another, directly or through others; it is named after the earliest.",
)
