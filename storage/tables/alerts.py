"""What is a surge, what has surged, and who was told."""

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Double,
    ForeignKey,
    Identity,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from storage.tables.metadata import count, json_object, metadata, timestamp

INCIDENT_STATE = """CASE
    WHEN status = 'resolved' OR (closed_at IS NOT NULL AND notified_score <= closed_score) THEN 'resolved'
    WHEN is_pending THEN 'pending'
    WHEN acknowledged_at IS NOT NULL THEN 'acknowledged'
    ELSE 'firing'
END"""

detector_state = Table(
    "detector_state",
    metadata,
    Column("series", Text, primary_key=True),
    timestamp("cursor_at"),
    json_object("state"),
    timestamp("updated_at", is_now=True),
    comment="What the detector has learned of a series up to cursor_at (the end of the last learned bucket).",
)

incident = Table(
    "incident",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("rule", Text, nullable=False),
    json_object("labels"),
    Column("severity", Text, nullable=False),
    Column("status", Text, nullable=False),
    timestamp("starts_at"),
    timestamp("ends_at", nullable=True),
    timestamp("detected_at"),
    timestamp("last_fired_at"),
    Column("observed", REAL, nullable=False),
    Column("expected", REAL, nullable=False),
    Column("score", REAL, nullable=False),
    Column("notified_score", REAL, nullable=False),
    json_object("annotations"),
    timestamp("acknowledged_at", nullable=True),
    Column("acknowledged_by", Text),
    Column("is_pending", Boolean, nullable=False, server_default=text("false")),
    Column("owner", Text),
    timestamp("closed_at", nullable=True),
    Column("closed_by", Text),
    Column("closed_score", REAL),
    timestamp("opened_at", nullable=True),
    timestamp("over_at", nullable=True),
    Column("state", Text, Computed(INCIDENT_STATE, persisted=True), nullable=False),
    timestamp("created_at", is_now=True),
    timestamp("updated_at", is_now=True),
    CheckConstraint("status IN ('firing', 'resolved')", name="status"),
    Index(
        "incident_one_firing_per_fingerprint",
        "fingerprint",
        unique=True,
        postgresql_where=text("status = 'firing'"),
    ),
    Index(None, "starts_at"),
    comment="A surge with a lifecycle; times are of the event clock.",
)

incident_event = Table(
    "incident_event",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("incident_id", BigInteger, ForeignKey("incident.id", ondelete="CASCADE"), nullable=False),
    timestamp("at", is_now=True),
    Column("transition", Text, nullable=False),
    Column("actor", Text, nullable=False),
    json_object("detail"),
    Index(None, "incident_id"),
    comment="What happened to an incident, in order.",
)

evidence = Table(
    "evidence",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("incident_id", BigInteger, ForeignKey("incident.id", ondelete="CASCADE"), nullable=False),
    timestamp("at", is_now=True),
    json_object("body"),
    Column("judgement", JSONB(none_as_null=True)),
    Index(None, "incident_id"),
    Index(
        "evidence_documents_idx",
        text("jsonb_path_query_array(body, '$.documents[*].id')"),
        postgresql_using="gin",
    ),
    Index(
        "evidence_carried_idx",
        text("jsonb_path_query_array(body, '$.drivers.cluster[*].id')"),
        postgresql_using="gin",
    ),
    comment="What a notification was based on, frozen when it was made.",
)

silence = Table(
    "silence",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    json_object("matchers"),
    timestamp("starts_at"),
    timestamp("ends_at"),
    Column("created_by", Text, nullable=False),
    Column("comment", Text, nullable=False, server_default=text("''")),
    Column("conditions", ARRAY(Text)),
    timestamp("created_at", is_now=True),
    Column("expired_by", Text),
    comment="Mutes notifications of incidents whose labels meet all conditions; detection goes on.",
)

notification = Table(
    "notification",
    metadata,
    Column("delivery_id", Text, primary_key=True),
    Column("number", BigInteger, Identity(), nullable=False),
    Column("incident_id", BigInteger, ForeignKey("incident.id", ondelete="CASCADE")),
    Column("channel", Text, nullable=False),
    Column("receiver", Text, nullable=False),
    json_object("payload"),
    Column("status", Text, nullable=False, server_default=text("'pending'")),
    count("attempts"),
    timestamp("next_attempt_at", is_now=True),
    Column("last_error", Text),
    timestamp("created_at", is_now=True),
    timestamp("delivered_at", nullable=True),
    CheckConstraint("status IN ('pending', 'delivered', 'dead')", name="status"),
    Index(None, "next_attempt_at", postgresql_where=text("status = 'pending'")),
    Index(None, "incident_id", "receiver", "number", postgresql_where=text("status = 'pending'")),
    Index(None, "receiver", "number", postgresql_where=text("channel = 'alertmanager' AND status = 'delivered'")),
    Index(None, "number", postgresql_where=text("status = 'dead'")),
    comment="The outbox: one row per message and receiver, numbered in the order in which they were made; a digest "
    "is of no incident.",
)

rule = Table(
    "rule",
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
    comment="What is watched in the counts. Every change takes the next revision, so that the detector sees what "
    "is new; file names the rules file that owns the rule.",
)

rule_change = Table(
    "rule_change",
    metadata,
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("definition", JSONB(none_as_null=True)),
    Column("file", Text),
    timestamp("changed_at", is_now=True),
    Column("changed_by", Text, nullable=False),
    Index(None, "name", "revision"),
    comment="Every change of a rule: who made it what, and when; append-only.",
)

incident_feedback = Table(
    "incident_feedback",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("incident_id", BigInteger, ForeignKey("incident.id", ondelete="CASCADE"), nullable=False),
    Column("verdict", Text, nullable=False),
    Column("comment", Text, nullable=False, server_default=text("''")),
    Column("given_by", Text, nullable=False),
    timestamp("given_at", is_now=True),
    CheckConstraint("verdict IN ('useful', 'noise', 'late')", name="verdict"),
    Index(None, "incident_id"),
    comment="What people said of incidents; append-only, the newest of each person counts.",
)

receiver_state = Table(
    "receiver_state",
    metadata,
    Column("channel", Text, nullable=False),
    Column("receiver", Text, nullable=False),
    Column("tokens", Double),
    timestamp("refilled_at", nullable=True),
    count("failures"),
    timestamp("paused_until", nullable=True),
    Column("last_error", Text),
    timestamp("delivered_at", nullable=True),
    PrimaryKeyConstraint("channel", "receiver"),
    comment="How each receiver of notifications is doing: messages it may get now (tokens), failures in a row, "
    "until when it is left alone, its last error and last delivery.",
)

incident_member = Table(
    "incident_member",
    metadata,
    Column("incident_id", BigInteger, ForeignKey("incident.id", ondelete="CASCADE"), primary_key=True),
    Column("member_id", BigInteger, ForeignKey("incident.id", ondelete="CASCADE"), primary_key=True),
    Index(None, "member_id"),
    comment="Which incidents are told as parts of another one, instead of by themselves.",
)

telling = Table(
    "telling",
    metadata,
    Column("incident_id", BigInteger, ForeignKey("incident.id", ondelete="CASCADE"), nullable=False),
    Column("channel", Text, nullable=False),
    Column("receiver", Text, nullable=False),
    Column("status", Text),
    timestamp("first_told_at", nullable=True),
    timestamp("told_at", nullable=True),
    Column("told_score", REAL),
    timestamp("news_at", nullable=True),
    Column("held_by", Text),
    count("messages"),
    Column("thread", Text, nullable=False, server_default=text("''")),
    PrimaryKeyConstraint("incident_id", "channel", "receiver"),
    CheckConstraint("status IN ('firing', 'resolved')", name="status"),
    Index("telling_unfinished", "incident_id", postgresql_where=text("status = 'firing' OR news_at IS NOT NULL")),
    comment="What each receiver has been told of each incident, and what it has still to hear.",
)

subscription = Table(
    "subscription",
    metadata,
    Column("name", Text, primary_key=True),
    Column("definition", JSONB, nullable=False),
    timestamp("created_at", is_now=True),
    Column("created_by", Text, nullable=False, server_default=text("CURRENT_USER")),
    timestamp("updated_at", is_now=True),
    Column("updated_by", Text, nullable=False, server_default=text("CURRENT_USER")),
    comment="Who hears of which incidents, when, and of what in digests. While it is empty, everybody hears of "
    "everything.",
)

digest = Table(
    "digest",
    metadata,
    Column("subscription", Text, nullable=False),
    Column("period", Text, nullable=False),
    timestamp("made_to"),
    PrimaryKeyConstraint("subscription", "period"),
    CheckConstraint("period IN ('daily', 'weekly')", name="period"),
    comment="Up to when the daily and weekly digests of each subscription have been made.",
)
