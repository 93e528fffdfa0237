"""Where documents come from, what is looked for in them, and what may not be kept."""

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Interval,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from storage.tables.metadata import count, json_object, metadata, timestamp

feed = Table(
    "feed",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("url", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("lang", Text),
    Column("every", Interval, nullable=False),
    Column("article", Boolean, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("etag", Text),
    Column("last_modified", Text),
    json_object("seen"),
    timestamp("next_at", is_now=True),
    count("failures"),
    Column("last_error", Text),
    timestamp("last_polled_at", nullable=True),
    timestamp("last_ok_at", nullable=True),
    timestamp("created_at", is_now=True),
    UniqueConstraint("url"),
    CheckConstraint("kind IN ('news', 'comment', 'post')", name="kind"),
    CheckConstraint("every > '0'::interval", name="every"),
    Index(None, "next_at", postgresql_where=text("is_active")),
    comment="RSS and Atom feeds: what to poll how often, how far each was read, and when its turn comes again.",
)

opt_out = Table(
    "opt_out",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("note", Text, nullable=False, server_default=text("''")),
    timestamp("added_at", is_now=True),
    CheckConstraint("kind IN ('author', 'source', 'document')", name="kind"),
    comment="Whose documents are not stored: authors by pseudonym, sources by name, documents by the hash of "
    "their id.",
)

author_key = Table(
    "author_key",
    metadata,
    Column("key_id", Text, primary_key=True),
    timestamp("first_used_at", is_now=True),
    comment="Which keys authors were made pseudonyms with: their names, never the keys.",
)

retention_state = Table(
    "retention_state",
    metadata,
    Column("is_one", Boolean, primary_key=True, server_default=text("true")),
    timestamp("documents_before"),
    CheckConstraint("is_one", name="is_one"),
    comment="One row once documents have expired: those published before are gone for good, and none is stored "
    "again.",
)

source = Table(
    "source",
    metadata,
    Column("name", Text, primary_key=True),
    timestamp("first_at"),
    timestamp("last_at"),
    timestamp("live_since", nullable=True),
    timestamp("seen_at", nullable=True),
    Column("expected", ARRAY(REAL)),
    timestamp("learned_at", nullable=True),
    Column("gaps", ARRAY(REAL), nullable=False, server_default=text("'{}'")),
    Column("state", Text, nullable=False, server_default=text("'new'")),
    timestamp("state_since", is_now=True),
    Column("chance", REAL),
    timestamp("muted_until", nullable=True),
    timestamp("updated_at", is_now=True),
    CheckConstraint("state IN ('new', 'ok', 'late', 'silent', 'ended')", name="state"),
    comment="What is usual of each source, and whether it keeps to it.",
)

source_silence = Table(
    "source_silence",
    metadata,
    Column("source", Text, primary_key=True),
    Column("starts_at", DateTime(timezone=True), primary_key=True),
    timestamp("ends_at", nullable=True),
    comment="When sources were late or silent, by published_at; an empty source stands for all of them together.",
)

watchlist = Table(
    "watchlist",
    metadata,
    Column("name", Text, primary_key=True),
    Column("definition", JSONB, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("is_active", Boolean, nullable=False, server_default=text("true")),
    Column("file", Text),
    timestamp("created_at", is_now=True),
    Column("created_by", Text, nullable=False),
    timestamp("updated_at", is_now=True),
    Column("updated_by", Text, nullable=False),
    Index(None, "revision", unique=True),
    comment="What is watched. Every change takes the next revision, so that workers see what is new; file names the "
    "watchlist file that owns the entry.",
)

watchlist_backfill = Table(
    "watchlist_backfill",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("watchlists", ARRAY(Text), nullable=False),
    timestamp("since", nullable=True),
    timestamp("started_at"),
    timestamp("reached_at", nullable=True),
    Column("reached_id", Text),
    json_object("figures"),
    timestamp("updated_at", is_now=True),
    comment="How far an unfinished backfill of these watchlists, as they were defined when it began, has come.",
)
