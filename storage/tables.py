"""The tables, as SQLAlchemy Core sees them. Migrations make them; a test holds the two against each other."""

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Sequence,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    }
)


def _time(name: str, *, nullable: bool = False, is_now: bool = False) -> Column[object]:
    """A `timestamptz` column; with `is_now` the database fills in the transaction's time."""
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=func.now() if is_now else None)


INCIDENT_STATE = """CASE
    WHEN status = 'resolved' OR (closed_at IS NOT NULL AND notified_score <= closed_score) THEN 'resolved'
    WHEN is_pending THEN 'pending'
    WHEN acknowledged_at IS NOT NULL THEN 'acknowledged'
    ELSE 'firing'
END"""


def _json(name: str) -> Column[object]:
    return Column(name, JSONB, nullable=False, server_default=text("'{}'"))


def _count(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default=text("0"))


def _document_columns() -> list[Column[object]]:
    """What one version of a document holds; shared by `document` and its history."""
    return [
        _time("published_at"),
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
        _time("crawled_at"),
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
        _time("recorded_at"),
        _time("stored_at"),
        Column("quoted_text", Text),
        Column("copy_text", BigInteger),
    ]


document_key = Table(
    "document_key",
    metadata,
    Column("id", Text, primary_key=True),
    _time("published_at"),
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
    _time("replaced_at", is_now=True),
    PrimaryKeyConstraint("id", "revision"),
    Index(None, "published_at"),
    comment="Versions of documents that a newer crawl replaced.",
)

mention = Table(
    "mention",
    metadata,
    _time("published_at"),
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

opinion_minute = Table(
    "opinion_minute",
    metadata,
    _time("bucket_at"),
    Column("source", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("lang", Text, nullable=False),
    Column("topic_label", Text, nullable=False),
    Column("model_version", Text, nullable=False),
    _count("total"),
    _count("negative"),
    _count("neutral"),
    _count("positive"),
    _count("copies"),
    _count("negative_copies"),
    _count("neutral_copies"),
    _count("positive_copies"),
    PrimaryKeyConstraint("bucket_at", "source", "kind", "lang", "topic_label", "model_version"),
    Index(None, "source", "bucket_at"),
    comment="Documents per minute of published_at; always equal to the rows of document.",
)

offset_ledger = Table(
    "offset_ledger",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("first_offset", BigInteger, nullable=False),
    Column("last_offset", BigInteger, nullable=False),
    _count("stored"),
    _count("repeats"),
    _count("revisions"),
    _count("dead_lettered"),
    _time("last_recorded_at"),
    _time("committed_at", is_now=True),
    Column("merged_lines", Integer, nullable=False, server_default=text("1")),
    CheckConstraint("first_offset <= last_offset", name="range"),
    CheckConstraint(  # lines that overlap, because records were read twice, keep their counts when they are merged
        "stored + repeats + revisions + dead_lettered = last_offset - first_offset + 1 "
        "OR (merged_lines > 1 AND stored + repeats + revisions + dead_lettered > last_offset - first_offset + 1)",
        name="every_record",
    ),
    Index(None, "topic", "partition", "last_offset"),
    Index(None, "last_recorded_at"),
    comment="Which offsets of the raw topic each transaction settled, and how.",
)

redriven_letter = Table(
    "redriven_letter",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("letter_offset", BigInteger, primary_key=True, autoincrement=False),
    Column("dead_lettered_at", DateTime(timezone=True), primary_key=True),
    _time("redriven_at", is_now=True),
    comment="Which dead letters were put back onto the topic they came from.",
)

audit_state = Table(
    "audit_state",
    metadata,
    Column("topic", Text, primary_key=True),
    _json("state"),
    _time("updated_at", is_now=True),
    comment="How far the scheduled audit has walked through the rows, and what it has found.",
)

detector_state = Table(
    "detector_state",
    metadata,
    Column("series", Text, primary_key=True),
    _time("cursor_at"),
    _json("state"),
    _time("updated_at", is_now=True),
    comment="What the detector has learned of a series up to cursor_at (the end of the last learned bucket).",
)

incident = Table(
    "incident",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("rule", Text, nullable=False),
    _json("labels"),
    Column("severity", Text, nullable=False),
    Column("status", Text, nullable=False),
    _time("starts_at"),
    _time("ends_at", nullable=True),
    _time("detected_at"),
    _time("last_fired_at"),
    Column("observed", REAL, nullable=False),
    Column("expected", REAL, nullable=False),
    Column("score", REAL, nullable=False),
    Column("notified_score", REAL, nullable=False),
    _json("annotations"),
    _time("acknowledged_at", nullable=True),
    Column("acknowledged_by", Text),
    Column("is_pending", Boolean, nullable=False, server_default=text("false")),
    Column("owner", Text),
    _time("closed_at", nullable=True),
    Column("closed_by", Text),
    Column("closed_score", REAL),
    _time("opened_at", nullable=True),
    _time("over_at", nullable=True),
    Column("state", Text, Computed(INCIDENT_STATE, persisted=True), nullable=False),
    _time("created_at", is_now=True),
    _time("updated_at", is_now=True),
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
    _time("at", is_now=True),
    Column("transition", Text, nullable=False),
    Column("actor", Text, nullable=False),
    _json("detail"),
    Index(None, "incident_id"),
    comment="What happened to an incident, in order.",
)

evidence = Table(
    "evidence",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("incident_id", BigInteger, ForeignKey("incident.id", ondelete="CASCADE"), nullable=False),
    _time("at", is_now=True),
    _json("body"),
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
    _json("matchers"),
    _time("starts_at"),
    _time("ends_at"),
    Column("created_by", Text, nullable=False),
    Column("comment", Text, nullable=False, server_default=text("''")),
    Column("conditions", ARRAY(Text)),
    _time("created_at", is_now=True),
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
    _json("payload"),
    Column("status", Text, nullable=False, server_default=text("'pending'")),
    _count("attempts"),
    _time("next_attempt_at", is_now=True),
    Column("last_error", Text),
    _time("created_at", is_now=True),
    _time("delivered_at", nullable=True),
    CheckConstraint("status IN ('pending', 'delivered', 'dead')", name="status"),
    Index(None, "next_attempt_at", postgresql_where=text("status = 'pending'")),
    Index(None, "incident_id", "receiver", "number", postgresql_where=text("status = 'pending'")),
    Index(None, "receiver", "number", postgresql_where=text("channel = 'alertmanager' AND status = 'delivered'")),
    Index(None, "number", postgresql_where=text("status = 'dead'")),
    comment="The outbox: one row per message and receiver, numbered in the order in which they were made; a digest "
    "is of no incident.",
)

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
    _time("labelled_at"),
    _time("recorded_at", is_now=True),
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

model_version = Table(
    "model_version",
    metadata,
    Column("version", Text, primary_key=True),
    Column("path", Text, nullable=False),
    Column("parent", Text),
    Column("origin", Text, nullable=False),
    _json("metrics"),
    _time("created_at", is_now=True),
    Column("snapshot_hash", Text),
    Column("code_version", Text),
    Column("training_run", BigInteger),
    _json("options"),
    Column("content_sha256", Text),
    _time("stored_at", nullable=True),
    _time("files_gone_at", nullable=True),
    comment="Every model that may classify; the folder at path holds the weights.",
)

model_promotion = Table(
    "model_promotion",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("version", Text, ForeignKey("model_version.version"), nullable=False),
    _time("promoted_at", is_now=True),
    Column("promoted_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    _time("announced_at", nullable=True),
    comment="Who became champion when; the newest row is the champion.",
)

training_run = Table(
    "training_run",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    _time("started_at", is_now=True),
    _time("finished_at", nullable=True),
    Column("champion", Text, nullable=False),
    Column("candidate", Text),
    Column("is_promoted", Boolean, nullable=False, server_default=text("false")),
    Column("reasons", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("last_label_id", BigInteger, nullable=False),
    _json("metrics"),
    Column("trigger", Text, nullable=False, server_default=text("'unknown'")),
    Column("trigger_reason", Text, nullable=False, server_default=text("''")),
    Column("snapshot_hash", Text),
    _json("snapshot"),
    _json("progress"),
    _time("progress_at", nullable=True),
    comment="Each run of the retrain job: what began it (trigger), what it learned from (snapshot), how far it is "
    "(progress), what came out, and why it was taken or not.",
)

scheduler_lease = Table(
    "scheduler_lease",
    metadata,
    Column("lease", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("term", BigInteger, nullable=False),
    _time("taken_at"),
    _time("beat_at"),
    comment="One row: the active scheduler, the number of its term, and its last sign of life.",
)

scheduler_job = Table(
    "scheduler_job",
    metadata,
    Column("job", Text, primary_key=True),
    Column("term", BigInteger, nullable=False),
    _time("started_at"),
    _time("finished_at", nullable=True),
    comment="When each job that comes round rarely last began (in which term) and ended.",
)

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
    _json("seen"),
    _time("next_at", is_now=True),
    _count("failures"),
    Column("last_error", Text),
    _time("last_polled_at", nullable=True),
    _time("last_ok_at", nullable=True),
    _time("created_at", is_now=True),
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
    _time("added_at", is_now=True),
    CheckConstraint("kind IN ('author', 'source', 'document')", name="kind"),
    comment="Whose documents are not stored: authors by pseudonym, sources by name, documents by the hash of "
    "their id.",
)

author_key = Table(
    "author_key",
    metadata,
    Column("key_id", Text, primary_key=True),
    _time("first_used_at", is_now=True),
    comment="Which keys authors were made pseudonyms with: their names, never the keys.",
)

retention_state = Table(
    "retention_state",
    metadata,
    Column("is_one", Boolean, primary_key=True, server_default=text("true")),
    _time("documents_before"),
    CheckConstraint("is_one", name="is_one"),
    comment="One row once documents have expired: those published before are gone for good, and none is stored "
    "again.",
)

api_token = Table(
    "api_token",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("name", Text, nullable=False),
    Column("token_hash", LargeBinary, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    _time("created_at", is_now=True),
    _time("last_used_at", nullable=True),
    _time("revoked_at", nullable=True),
    comment="Who may use the API for what. Holds SHA-256 hashes, never a token.",
)

source = Table(
    "source",
    metadata,
    Column("name", Text, primary_key=True),
    _time("first_at"),
    _time("last_at"),
    _time("live_since", nullable=True),
    _time("seen_at", nullable=True),
    Column("expected", ARRAY(REAL)),
    _time("learned_at", nullable=True),
    Column("gaps", ARRAY(REAL), nullable=False, server_default=text("'{}'")),
    Column("state", Text, nullable=False, server_default=text("'new'")),
    _time("state_since", is_now=True),
    Column("chance", REAL),
    _time("muted_until", nullable=True),
    _time("updated_at", is_now=True),
    CheckConstraint("state IN ('new', 'ok', 'late', 'silent', 'ended')", name="state"),
    comment="What is usual of each source, and whether it keeps to it.",
)

source_silence = Table(
    "source_silence",
    metadata,
    Column("source", Text, primary_key=True),
    Column("starts_at", DateTime(timezone=True), primary_key=True),
    _time("ends_at", nullable=True),
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
    _time("created_at", is_now=True),
    Column("created_by", Text, nullable=False),
    _time("updated_at", is_now=True),
    Column("updated_by", Text, nullable=False),
    Index(None, "revision", unique=True),
    comment="What is watched. Every change takes the next revision, so that workers see what is new; file names the "
    "watchlist file that owns the entry.",
)

watchlist_minute = Table(
    "watchlist_minute",
    metadata,
    _time("bucket_at"),
    Column("watchlist", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("lang", Text, nullable=False),
    Column("topic_label", Text, nullable=False),
    Column("model_version", Text, nullable=False),
    _count("total"),
    _count("negative"),
    _count("neutral"),
    _count("positive"),
    _count("copies"),
    _count("negative_copies"),
    _count("neutral_copies"),
    _count("positive_copies"),
    PrimaryKeyConstraint("bucket_at", "watchlist", "source", "kind", "lang", "topic_label", "model_version"),
    Index(None, "watchlist", "bucket_at"),
    Index(None, "source", "bucket_at"),
    comment="Documents that mention a watchlist, per minute of published_at, by the sentiment toward it; always "
    "equal to the rows of mention.",
)

watchlist_backfill = Table(
    "watchlist_backfill",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("watchlists", ARRAY(Text), nullable=False),
    _time("since", nullable=True),
    _time("started_at"),
    _time("reached_at", nullable=True),
    Column("reached_id", Text),
    _json("figures"),
    _time("updated_at", is_now=True),
    comment="How far an unfinished backfill of these watchlists, as they were defined when it began, has come.",
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
    _count("documents"),
    _time("first_at", nullable=True),
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
    _count("documents"),
    _time("first_at"),
    Column("first_id", Text, nullable=False),
    _count("parted"),
    comment="Documents that are copies of one another, directly or through others; it is named after the earliest.",
)

rule = Table(
    "rule",
    metadata,
    Column("name", Text, primary_key=True),
    Column("definition", JSONB, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("is_active", Boolean, nullable=False, server_default=text("true")),
    Column("file", Text),
    _time("created_at", is_now=True),
    Column("created_by", Text, nullable=False),
    _time("updated_at", is_now=True),
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
    _time("changed_at", is_now=True),
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
    _time("given_at", is_now=True),
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
    _time("refilled_at", nullable=True),
    _count("failures"),
    _time("paused_until", nullable=True),
    Column("last_error", Text),
    _time("delivered_at", nullable=True),
    PrimaryKeyConstraint("channel", "receiver"),
    comment="How each receiver of notifications is doing: messages it may get now (tokens), failures in a row, "
    "until when it is left alone, its last error and last delivery.",
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
    _time("scored_at", is_now=True),
    comment="Documents that two models judged, in all (empty label) and by topic, source and lang: what translates "
    "baselines when the one takes over from the other.",
)

model_switch = Table(
    "model_switch",
    metadata,
    Column("clock", Text, primary_key=True),
    Column("new_version", Text, primary_key=True),
    _time("at"),
    Column("old_version", Text, nullable=False),
    Column("factor", REAL),
    Column("basis", Text, nullable=False),
    _time("updated_at", is_now=True),
    CheckConstraint("basis IN ('overlap', 'estimate', 'unknown')", name="basis"),
    Index(None, "at"),
    comment="When the documents of a clock (all sources, or one) were first judged by another model, by "
    "published_at, and what the detector made of it.",
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
    _time("first_told_at", nullable=True),
    _time("told_at", nullable=True),
    Column("told_score", REAL),
    _time("news_at", nullable=True),
    Column("held_by", Text),
    _count("messages"),
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
    _time("created_at", is_now=True),
    Column("created_by", Text, nullable=False, server_default=text("CURRENT_USER")),
    _time("updated_at", is_now=True),
    Column("updated_by", Text, nullable=False, server_default=text("CURRENT_USER")),
    comment="Who hears of which incidents, when, and of what in digests. While it is empty, everybody hears of "
    "everything.",
)

digest = Table(
    "digest",
    metadata,
    Column("subscription", Text, nullable=False),
    Column("period", Text, nullable=False),
    _time("made_to"),
    PrimaryKeyConstraint("subscription", "period"),
    CheckConstraint("period IN ('daily', 'weekly')", name="period"),
    comment="Up to when the daily and weekly digests of each subscription have been made.",
)

people_verdict = Table(
    "people_verdict",
    metadata,
    Column("document_id", Text, primary_key=True),
    Column("text_hash", LargeBinary),
    Column("topic_label", Text),
    Column("topic_by", Text),
    _time("topic_at", nullable=True),
    Column("sentiment", Text),
    Column("sentiment_by", Text),
    _time("sentiment_at", nullable=True),
    comment="What people's answers about a stored document come to, for as long as its text is the one they "
    "read (SHA-256 of it). Made from human_label, with every answer.",
)

label_queue = Table(
    "label_queue",
    metadata,
    Column("document_id", Text, primary_key=True),
    _time("published_at"),
    Column("reason", Text, nullable=False),
    Column("score", REAL, nullable=False),
    Column("place", Double, nullable=False),
    _json("detail"),
    Column("model_version", Text, nullable=False),
    Column("cluster", BigInteger),
    Column("wanted", Integer, nullable=False, server_default=text("1")),
    _time("queued_at", is_now=True),
    Column("taken_by", Text),
    _time("taken_until", nullable=True),
    Column("answered_by", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("skipped_by", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    _time("done_at", nullable=True),
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
    _time("added_at", is_now=True),
    Column("origin", Text, nullable=False),
    CheckConstraint("origin IN ('share', 'random', 'earlier')", name="origin"),
    comment="Texts that models are judged by and that no model is ever trained on, whatever is answered later; "
    "origin: a share of a batch of labels, answers to a random sample, or held out before this table was there.",
)

shadow_run = Table(
    "shadow_run",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("candidate", Text, ForeignKey("model_version.version"), nullable=False),
    Column("champion", Text, nullable=False),
    Column("training_run", BigInteger),
    Column("state", Text, nullable=False, server_default=text("'scoring'")),
    _time("started_at"),
    _time("ended_at", nullable=True),
    Column("decided_by", Text),
    Column("reasons", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    _time("window_from", nullable=True),
    _time("live_from", nullable=True),
    Column("share", Double, nullable=False, server_default=text("1")),
    _time("reached_at", nullable=True),
    Column("reached_id", Text),
    _count("scored"),
    _count("live_scored"),
    _count("failures"),
    _count("attempts"),
    _time("visited_at", nullable=True),
    _json("figures"),
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
    _time("published_at"),
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
    _time("since"),
    _time("until", nullable=True),
    Column("sources", ARRAY(Text), nullable=False),
    Column("watchlists", ARRAY(Text), nullable=False),
    Column("status", Text, nullable=False),
    _time("reached_at", nullable=True),
    Column("reached_id", Text),
    _json("figures"),
    _time("started_at", is_now=True),
    Column("started_by", Text, nullable=False, server_default=text("CURRENT_USER")),
    _time("updated_at", is_now=True),
    _time("finished_at", nullable=True),
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
    _time("changed_at", is_now=True),
    _time("seen_at", is_now=True),
    comment="Which model each worker classifies with, which one it was told to use, and why it could not load "
    "that; a worker that has not been seen for a minute is gone.",
)

drift_check = Table(
    "drift_check",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    _time("checked_at"),
    Column("model_version", Text, nullable=False),
    Column("slice_kind", Text, nullable=False),
    Column("slice_value", Text, nullable=False),
    Column("measure", Text, nullable=False),
    Column("effect", Double, nullable=False),
    Column("threshold", Double, nullable=False),
    Column("is_drifted", Boolean, Computed("effect > threshold", persisted=True), nullable=False),
    _time("reference_from"),
    _time("reference_until"),
    Column("reference_documents", Integer, nullable=False),
    _time("current_from"),
    _time("current_until"),
    Column("current_documents", Integer, nullable=False),
    _json("detail"),
    UniqueConstraint("checked_at", "slice_kind", "slice_value", "measure"),
    CheckConstraint("slice_kind IN ('all', 'lang', 'source')", name="slice_kind"),
    comment="What each check for drift found, one row per slice and measure; append-only.",
)

topic_proposal = Table(
    "topic_proposal",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    _time("found_at"),
    Column("model_version", Text, nullable=False),
    Column("terms", ARRAY(Text), nullable=False),
    Column("documents_now", Integer, nullable=False),
    Column("documents_before", Integer, nullable=False),
    _time("current_from"),
    _time("current_until"),
    Column("example_ids", ARRAY(Text), nullable=False),
    Column("example_times", ARRAY(DateTime(timezone=True)), nullable=False),
    Index(None, "found_at"),
    comment="Clusters of documents whose topic the model doubts, as of each check; examples by id and published_at, "
    "so that what is erased is gone here, too.",
)

reporting_zone = Table(
    "reporting_zone",
    metadata,
    Column("is_only", Boolean, primary_key=True, server_default=text("true")),
    Column("zone", Text, nullable=False),
    CheckConstraint("is_only", name="one_row"),
    comment="One row: the zone of local days in schema bi, the setting timezone.",
)

job_run = Table(
    "job_run",
    metadata,
    Column("job", Text, primary_key=True),
    Column("every_seconds", Double, nullable=False),
    _time("started_at"),
    _time("finished_at", nullable=True),
    Column("outcome", Text),
    Column("seconds", Double),
    Column("runs", BigInteger, nullable=False),
    Column("failures", BigInteger, nullable=False),
    Column("error", Text),
    _time("failed_at", nullable=True),
    comment="The latest run of each job of the active scheduler, as it said some seconds ago.",
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
    [_time("bucket_at")],
    _OF_DOCUMENTS,
    _including_counts("source", "bucket_at"),
    _including_counts("topic_label", "bucket_at"),
    comment="Documents per hour (UTC), for hours that stale_hour does not name.",
)

topic_hour = _rolled_up(
    "topic_hour",
    [_time("bucket_at")],
    ("topic_label", "lang"),
    comment="The same by topic and language alone.",
)

source_hour = _rolled_up(
    "source_hour",
    [_time("bucket_at")],
    ("source", "lang"),
    _including_counts("source", "bucket_at"),
    comment="The same by source and language alone.",
)

watchlist_hour = _rolled_up(
    "watchlist_hour",
    [_time("bucket_at")],
    _OF_MENTIONS,
    _including_counts("watchlist", "bucket_at"),
    comment="Documents that mention a watchlist per hour (UTC), for hours that stale_hour does not name.",
)

watchlist_total_hour = _rolled_up(
    "watchlist_total_hour",
    [_time("bucket_at")],
    ("watchlist", "lang"),
    comment="The same by watchlist and language alone.",
)

source_day = _rolled_up(
    "source_day",
    [Column("local_day", Date, nullable=False), _time("bucket_at")],
    ("source", "lang"),
    _including_counts("bucket_at"),
    comment="Documents per local day by source and language alone.",
)

opinion_day = _rolled_up(
    "opinion_day",
    [Column("local_day", Date, nullable=False), _time("bucket_at")],
    _OF_DOCUMENTS,
    _including_counts("bucket_at"),
    _including_counts("source", "bucket_at"),
    _including_counts("topic_label", "bucket_at"),
    comment="Documents per local day (reporting_zone), for days that stale_day and stale_hour do not name.",
)

watchlist_day = _rolled_up(
    "watchlist_day",
    [Column("local_day", Date, nullable=False), _time("bucket_at")],
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
    _time("bucket_at"),
    _time("marked_at", is_now=True),
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
    _time("created_at", is_now=True),
    Column("created_by", Text, nullable=False),
    _time("disabled_at", nullable=True),
    _time("last_login_at", nullable=True),
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
    _time("created_at"),
    _time("seen_at"),
    _time("expires_at"),
    Column("address", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Index(None, "person_id"),
    comment="Who is logged in, by the SHA-256 of what their browser holds.",
)

login_limit = Table(
    "login_limit",
    metadata,
    Column("key_hash", LargeBinary, primary_key=True),
    _time("paid_until"),
    Index(None, "paid_until"),
    comment="How much was tried under a name, from an address or from a browser, as hashes: each attempt moves "
    "paid_until further ahead, time lets it catch up, and who is too far ahead waits.",
)

app_secret = Table(
    "app_secret",
    metadata,
    Column("name", Text, primary_key=True),
    Column("secret", LargeBinary, nullable=False),
    _time("created_at", is_now=True),
    comment="Keys that all processes of this installation share, made at first use.",
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    _time("at"),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    _json("detail"),
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
    _time("made_at"),
    UniqueConstraint("kind", "watchlist", "first_day", "language"),
    CheckConstraint("kind IN ('daily', 'weekly')", name="kind"),
    CheckConstraint("language IN ('zh', 'en')", name="language"),
    comment="Daily and weekly reports as they were made; an empty watchlist: of everything. document_ids are those "
    "that it names, so that a report goes when one of them is erased.",
)
