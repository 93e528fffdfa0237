"""Checks on a live system: no offset skipped, counts equal to rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from storage.offset_ledger import Hole, holes, next_offsets


@dataclass(frozen=True)
class CountDifference:
    """A minute whose counts are not those of its documents."""

    bucket_at: datetime
    source: str
    topic_label: str
    model_version: str
    counted: int
    rows: int


@dataclass(frozen=True)
class AuditReport:
    """What an audit found; clean when all three lists are empty.

    Attributes:
        unsettled: by partition, offsets the group has committed beyond what the ledger has settled.
    """

    documents: int
    ledger_lines: int
    holes: list[Hole]
    differences: list[CountDifference]
    unsettled: dict[int, int]

    @property
    def is_clean(self) -> bool:
        return not (self.holes or self.differences or self.unsettled)


_DIFFERENCES = text("""
    WITH rows AS (
        SELECT date_trunc('minute', published_at, 'UTC') AS bucket_at, source, kind, lang, topic_label, model_version,
               count(*) AS total,
               count(*) FILTER (WHERE sentiment = 'negative') AS negative,
               count(*) FILTER (WHERE sentiment = 'neutral') AS neutral,
               count(*) FILTER (WHERE sentiment = 'positive') AS positive
        FROM document
        GROUP BY 1, 2, 3, 4, 5, 6
    )
    SELECT bucket_at, source, topic_label, model_version,
           coalesce(m.total, 0) AS counted, coalesce(r.total, 0) AS rows
    FROM rows AS r
    FULL JOIN opinion_minute AS m USING (bucket_at, source, kind, lang, topic_label, model_version)
    WHERE (coalesce(r.total, 0), coalesce(r.negative, 0), coalesce(r.neutral, 0), coalesce(r.positive, 0))
       IS DISTINCT FROM
          (coalesce(m.total, 0), coalesce(m.negative, 0), coalesce(m.neutral, 0), coalesce(m.positive, 0))
    ORDER BY bucket_at
    LIMIT 20
""")


def audit(connection: Connection, topic: str, committed: Mapping[int, int]) -> AuditReport:
    """Audit what is stored; reads every document once, in a snapshot of its own.

    Args:
        topic: the raw topic.
        committed: by partition, the offset the consumer group has committed. Read it before calling: the
            ledger is written before an offset is committed, so it can only be ahead.
    """
    connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    settled = next_offsets(connection, topic)
    return AuditReport(
        documents=connection.scalar(text("SELECT count(*) FROM document")) or 0,
        ledger_lines=connection.scalar(text("SELECT count(*) FROM offset_ledger")) or 0,
        holes=holes(connection),
        differences=[CountDifference(**row._mapping) for row in connection.execute(_DIFFERENCES)],
        unsettled={
            partition: offset
            for partition, offset in committed.items()
            if offset > (settled[partition][0] if partition in settled else 0)
        },
    )
