"""What became of every record, and the proof of it."""

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Identity, Index, Integer, Table, Text, text

from storage.tables.metadata import count, json_object, metadata, timestamp

offset_ledger = Table(
    "offset_ledger",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("first_offset", BigInteger, nullable=False),
    Column("last_offset", BigInteger, nullable=False),
    count("stored"),
    count("repeats"),
    count("revisions"),
    count("dead_lettered"),
    timestamp("last_recorded_at"),
    timestamp("committed_at", is_now=True),
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
    timestamp("redriven_at", is_now=True),
    comment="Which dead letters were put back onto the topic they came from.",
)

audit_state = Table(
    "audit_state",
    metadata,
    Column("topic", Text, primary_key=True),
    json_object("state"),
    timestamp("updated_at", is_now=True),
    comment="How far the scheduled audit has walked through the rows, and what it has found.",
)
