"""Who may use the console and the API, and what they did; reports that they read."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from storage.tables.metadata import json_object, metadata, timestamp

api_token = Table(
    "api_token",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("name", Text, nullable=False),
    Column("token_hash", LargeBinary, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    timestamp("created_at", is_now=True),
    timestamp("last_used_at", nullable=True),
    timestamp("revoked_at", nullable=True),
    comment="Who may use the API for what. Holds SHA-256 hashes, never a token.",
)

person = Table(
    "person",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("password_hash", Text),
    Column("must_change", Boolean, server_default=text("false"), nullable=False),
    Column("issuer", Text),
    Column("subject", Text),
    timestamp("created_at", is_now=True),
    Column("created_by", Text, nullable=False),
    timestamp("disabled_at", nullable=True),
    timestamp("last_login_at", nullable=True),
    CheckConstraint("role IN ('viewer', 'annotator', 'analyst', 'admin')", name="role"),
    UniqueConstraint("name_key"),
    UniqueConstraint("issuer", "subject"),
    comment="Who may use the console, as what. Passwords are argon2 hashes; null where somebody else vouches for "
    "the person (issuer and subject of OpenID Connect).",
)

session = Table(
    "session",
    metadata,
    Column("id_hash", LargeBinary, primary_key=True),
    Column("person_id", ForeignKey("person.id", ondelete="CASCADE"), nullable=False),
    timestamp("created_at"),
    timestamp("seen_at"),
    timestamp("expires_at"),
    Column("address", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Index(None, "person_id"),
    comment="Who is logged in, by the SHA-256 of what their browser holds.",
)

login_limit = Table(
    "login_limit",
    metadata,
    Column("key_hash", LargeBinary, primary_key=True),
    timestamp("paid_until"),
    Index(None, "paid_until"),
    comment="How much was tried under a name, from an address or from a browser, as hashes: each attempt moves "
    "paid_until further ahead, time lets it catch up, and who is too far ahead waits.",
)

app_secret = Table(
    "app_secret",
    metadata,
    Column("name", Text, primary_key=True),
    Column("secret", LargeBinary, nullable=False),
    timestamp("created_at", is_now=True),
    comment="Keys that all processes of this installation share, made at first use.",
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    timestamp("at"),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    json_object("detail"),
    CheckConstraint("outcome IN ('done', 'refused', 'failed')", name="outcome"),
    comment="Who changed what, from where, and what became of it. Append-only: a trigger refuses all else.",
)

report = Table(
    "report",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("watchlist", Text, nullable=False, server_default=text("''")),
    Column("first_day", Date, nullable=False),
    Column("language", Text, nullable=False),
    Column("html", Text, nullable=False),
    Column("pdf", LargeBinary),
    Column("document_ids", ARRAY(Text), nullable=False),
    timestamp("made_at"),
    UniqueConstraint("kind", "watchlist", "first_day", "language"),
    CheckConstraint("kind IN ('daily', 'weekly')", name="kind"),
    CheckConstraint("language IN ('zh', 'en')", name="language"),
    comment="Daily and weekly reports as they were made; an empty watchlist: of everything. document_ids are those "
    "that it names, so that a report goes when one of them is erased.",
)
