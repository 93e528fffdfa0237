"""What people say of documents, and what they are asked."""

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from storage.tables.metadata import json_object, metadata, timestamp

human_label = Table(
    "human_label",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("label_key", LargeBinary, nullable=False),
    Column("document_id", Text),
    Column("text", Text, nullable=False),
    Column("lang", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("head", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("annotator", Text, nullable=False),
    timestamp("labelled_at"),
    timestamp("recorded_at", is_now=True),
    Column("guideline", Text, nullable=False, server_default=text("''")),
    Column("seconds", REAL),
    Column("intake", Text, nullable=False, server_default=text("'unknown'")),
    Column("is_adjudication", Boolean, nullable=False, server_default=text("false")),
    Column("retracts", BigInteger, ForeignKey("human_label.id", ondelete="CASCADE")),
    UniqueConstraint("label_key"),
    CheckConstraint("head IN ('topic', 'sentiment')", name="head"),
    CheckConstraint("intake IN ('console', 'command', 'file', 'label_studio', 'topic', 'unknown')", name="intake"),
    Index(None, "document_id", postgresql_where=text("document_id IS NOT NULL")),
    Index(None, "retracts", unique=True, postgresql_where=text("retracts IS NOT NULL")),
    Index(None, "annotator", "id"),
    comment="People's answers; append-only. label_key makes a repeated import harmless.",
)

people_verdict = Table(
    "people_verdict",
    metadata,
    Column("document_id", Text, primary_key=True),
    Column("text_hash", LargeBinary),
    Column("topic_label", Text),
    Column("topic_by", Text),
    timestamp("topic_at", nullable=True),
    Column("sentiment", Text),
    Column("sentiment_by", Text),
    timestamp("sentiment_at", nullable=True),
    comment="What people's answers about a stored document come to, for as long as its text is the one they "
    "read (SHA-256 of it). Made from human_label, with every answer.",
)

label_queue = Table(
    "label_queue",
    metadata,
    Column("document_id", Text, primary_key=True),
    timestamp("published_at"),
    Column("reason", Text, nullable=False),
    Column("score", REAL, nullable=False),
    Column("place", Double, nullable=False),
    json_object("detail"),
    Column("model_version", Text, nullable=False),
    Column("cluster", BigInteger),
    Column("wanted", Integer, nullable=False, server_default=text("1")),
    timestamp("queued_at", is_now=True),
    Column("taken_by", Text),
    timestamp("taken_until", nullable=True),
    Column("answered_by", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("skipped_by", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    timestamp("done_at", nullable=True),
    CheckConstraint("reason IN ('uncertain', 'diverse', 'alert', 'random')", name="reason"),
    CheckConstraint("wanted >= 1", name="wanted"),
    Index(None, "place", postgresql_where=text("done_at IS NULL")),
    Index(None, "cluster", postgresql_where=text("cluster IS NOT NULL")),
    Index(None, "done_at", postgresql_where=text("done_at IS NOT NULL")),
    comment="Documents that people are asked to label, why, and who has them in hand; the lowest place comes "
    "first. Holds no word of them.",
)

gold_text = Table(
    "gold_text",
    metadata,
    Column("text_hash", LargeBinary, primary_key=True),
    timestamp("added_at", is_now=True),
    Column("origin", Text, nullable=False),
    CheckConstraint("origin IN ('share', 'random', 'earlier')", name="origin"),
    comment="Texts that models are judged by and that no model is ever trained on, whatever is answered later; "
    "origin: a share of a batch of labels, answers to a random sample, or held out before this table was there.",
)
