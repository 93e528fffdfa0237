"""The schedulers and their jobs."""

from sqlalchemy import BigInteger, Column, Double, Table, Text

from storage.tables.metadata import metadata, timestamp

scheduler_lease = Table(
    "scheduler_lease",
    metadata,
    Column("lease", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("term", BigInteger, nullable=False),
    timestamp("taken_at"),
    timestamp("beat_at"),
    comment="One row: the active scheduler, the number of its term, and its last sign of life.",
)

scheduler_job = Table(
    "scheduler_job",
    metadata,
    Column("job", Text, primary_key=True),
    Column("term", BigInteger, nullable=False),
    timestamp("started_at"),
    timestamp("finished_at", nullable=True),
    comment="When each job that comes round rarely last began (in which term) and ended.",
)

job_run = Table(
    "job_run",
    metadata,
    Column("job", Text, primary_key=True),
    Column("every_seconds", Double, nullable=False),
    timestamp("started_at"),
    timestamp("finished_at", nullable=True),
    Column("outcome", Text),
    Column("seconds", Double),
    Column("runs", BigInteger, nullable=False),
    Column("failures", BigInteger, nullable=False),
    Column("error", Text),
    timestamp("failed_at", nullable=True),
    comment="The latest run of each job of the active scheduler, as it said some seconds ago.",
)
