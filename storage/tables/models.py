"""Models: versions, trainings, trials, and what they see."""

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from storage.tables.metadata import count, json_object, metadata, timestamp

model_version = Table(
    "model_version",
    metadata,
    Column("version", Text, primary_key=True),
    Column("path", Text, nullable=False),
    Column("parent", Text),
    Column("origin", Text, nullable=False),
    json_object("metrics"),
    timestamp("created_at", is_now=True),
    Column("snapshot_hash", Text),
    Column("code_version", Text),
    Column("training_run", BigInteger),
    json_object("options"),
    Column("content_sha256", Text),
    timestamp("stored_at", nullable=True),
    timestamp("files_gone_at", nullable=True),
    comment="Every model that may classify; the folder at path holds the weights.",
)

model_promotion = Table(
    "model_promotion",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("version", Text, ForeignKey("model_version.version"), nullable=False),
    timestamp("promoted_at", is_now=True),
    Column("promoted_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    timestamp("announced_at", nullable=True),
    comment="Who became champion when; the newest row is the champion.",
)

training_run = Table(
    "training_run",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    timestamp("started_at", is_now=True),
    timestamp("finished_at", nullable=True),
    Column("champion", Text, nullable=False),
    Column("candidate", Text),
    Column("is_promoted", Boolean, nullable=False, server_default=text("false")),
    Column("reasons", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("last_label_id", BigInteger, nullable=False),
    json_object("metrics"),
    Column("trigger", Text, nullable=False, server_default=text("'unknown'")),
    Column("trigger_reason", Text, nullable=False, server_default=text("''")),
    Column("snapshot_hash", Text),
    json_object("snapshot"),
    json_object("progress"),
    timestamp("progress_at", nullable=True),
    comment="Each run of the retrain job: what began it (trigger), what it learned from (snapshot), how far it is "
    "(progress), what came out, and why it was taken or not.",
)

model_overlap = Table(
    "model_overlap",
    metadata,
    Column("old_version", Text, primary_key=True),
    Column("new_version", Text, primary_key=True),
    Column("label", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("documents", Integer, nullable=False),
    Column("negative_old", Integer, nullable=False),
    Column("negative_new", Integer, nullable=False),
    timestamp("scored_at", is_now=True),
    comment="Documents that two models judged, in all (empty label) and by topic, source and lang: what translates "
    "baselines when the one takes over from the other.",
)

model_switch = Table(
    "model_switch",
    metadata,
    Column("clock", Text, primary_key=True),
    Column("new_version", Text, primary_key=True),
    timestamp("at"),
    Column("old_version", Text, nullable=False),
    Column("factor", REAL),
    Column("basis", Text, nullable=False),
    timestamp("updated_at", is_now=True),
    CheckConstraint("basis IN ('overlap', 'estimate', 'unknown')", name="basis"),
    Index(None, "at"),
    comment="When the documents of a clock (all sources, or one) were first judged by another model, by "
    "published_at, and what the detector made of it.",
)

shadow_run = Table(
    "shadow_run",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("candidate", Text, ForeignKey("model_version.version"), nullable=False),
    Column("champion", Text, nullable=False),
    Column("training_run", BigInteger),
    Column("state", Text, nullable=False, server_default=text("'scoring'")),
    timestamp("started_at"),
    timestamp("ended_at", nullable=True),
    Column("decided_by", Text),
    Column("reasons", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    timestamp("window_from", nullable=True),
    timestamp("live_from", nullable=True),
    Column("share", Double, nullable=False, server_default=text("1")),
    timestamp("reached_at", nullable=True),
    Column("reached_id", Text),
    count("scored"),
    count("live_scored"),
    count("failures"),
    count("attempts"),
    timestamp("visited_at", nullable=True),
    json_object("figures"),
    CheckConstraint("state IN ('scoring', 'waiting', 'promoted', 'rejected', 'expired')", name="state"),
    Index(
        "shadow_run_one_open",
        text("(ended_at IS NULL)"),
        unique=True,
        postgresql_where=text("ended_at IS NULL"),
    ),
    Index(None, "candidate"),
    comment="Candidates that judge live documents beside the champion before they may be promoted: how far each "
    "has come, what came of it and why.",
)

shadow_verdict = Table(
    "shadow_verdict",
    metadata,
    Column("run_id", BigInteger, ForeignKey("shadow_run.id", ondelete="CASCADE"), nullable=False),
    timestamp("published_at"),
    Column("document_id", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("lang", Text, nullable=False),
    Column("topic_old", Text, nullable=False),
    Column("topic_new", Text, nullable=False),
    Column("sentiment_old", Text, nullable=False),
    Column("sentiment_new", Text, nullable=False),
    Column("score_negative_old", REAL, nullable=False),
    Column("score_negative_new", REAL, nullable=False),
    Column("score_topic_old", REAL, nullable=False),
    Column("score_topic_new", REAL, nullable=False),
    Column("mentions", JSONB(none_as_null=True)),
    PrimaryKeyConstraint("run_id", "published_at", "document_id"),
    Index(None, "document_id"),
    comment="What champion (old) and candidate (new) say of the same document; kept until the next candidate comes.",
)

reclassification = Table(
    "reclassification",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("model_version", Text, nullable=False),
    timestamp("since"),
    timestamp("until", nullable=True),
    Column("sources", ARRAY(Text), nullable=False),
    Column("watchlists", ARRAY(Text), nullable=False),
    Column("status", Text, nullable=False),
    timestamp("reached_at", nullable=True),
    Column("reached_id", Text),
    json_object("figures"),
    timestamp("started_at", is_now=True),
    Column("started_by", Text, nullable=False, server_default=text("CURRENT_USER")),
    timestamp("updated_at", is_now=True),
    timestamp("finished_at", nullable=True),
    CheckConstraint("status IN ('open', 'done', 'cancelled')", name="status"),
    comment="Which documents were, or are to be, judged again by another model (published_at from since to until, "
    "of these sources, mentioning these watchlists; empty: any), how far that has come, and what it changed.",
)

worker_model = Table(
    "worker_model",
    metadata,
    Column("worker", Text, primary_key=True),
    Column("version", Text, nullable=False),
    Column("wanted", Text, nullable=False),
    Column("error", Text),
    timestamp("changed_at", is_now=True),
    timestamp("seen_at", is_now=True),
    comment="Which model each worker classifies with, which one it was told to use, and why it could not load "
    "that; a worker that has not been seen for a minute is gone.",
)

drift_check = Table(
    "drift_check",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    timestamp("checked_at"),
    Column("model_version", Text, nullable=False),
    Column("slice_kind", Text, nullable=False),
    Column("slice_value", Text, nullable=False),
    Column("measure", Text, nullable=False),
    Column("effect", Double, nullable=False),
    Column("threshold", Double, nullable=False),
    Column("is_drifted", Boolean, Computed("effect > threshold", persisted=True), nullable=False),
    timestamp("reference_from"),
    timestamp("reference_until"),
    Column("reference_documents", Integer, nullable=False),
    timestamp("current_from"),
    timestamp("current_until"),
    Column("current_documents", Integer, nullable=False),
    json_object("detail"),
    UniqueConstraint("checked_at", "slice_kind", "slice_value", "measure"),
    CheckConstraint("slice_kind IN ('all', 'lang', 'source')", name="slice_kind"),
    comment="What each check for drift found, one row per slice and measure; append-only.",
)

topic_proposal = Table(
    "topic_proposal",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    timestamp("found_at"),
    Column("model_version", Text, nullable=False),
    Column("terms", ARRAY(Text), nullable=False),
    Column("documents_now", Integer, nullable=False),
    Column("documents_before", Integer, nullable=False),
    timestamp("current_from"),
    timestamp("current_until"),
    Column("example_ids", ARRAY(Text), nullable=False),
    Column("example_times", ARRAY(DateTime(timezone=True)), nullable=False),
    Index(None, "found_at"),
    comment="Clusters of documents whose topic the model doubts, as of each check; examples by id and published_at, "
    "so that what is erased is gone here, too.",
)
