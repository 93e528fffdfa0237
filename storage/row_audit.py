"""Documents, their keys, history, mentions and the minute counts held against each other, a slice at a time.

Every function is given a connection inside a transaction of its own (`snapshot`), so what it compares was committed
together: a worker moves row, key, history and counts in one transaction. A slice costs what lies in it: rows are
reached through indexes by event time or by id, however long the history is.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from sqlalchemy import Connection, Engine, text

from core.windows import MINUTE, floor_to
from storage.copy_audit import BROKEN_CLUSTERS
from storage.scope_sql import IS_COPY, STANDING
from storage.watchlist_counts import DIFFERENT, ROWS_PER_MINUTE

EARLIEST = datetime(1, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 12, 31, tzinfo=UTC)
MOST_NAMED = 100  # of each kind and slice; one is enough to know, these are enough to see a pattern

FaultKind = Literal[
    "document_without_key", "key_without_document", "history_broken", "mention_without_document", "cluster_broken"
]


class Slice(NamedTuple):
    """A half-open span of event time; whole minutes."""

    begin: datetime
    end: datetime


@dataclass(frozen=True)
class CountDifference:
    """A minute whose counts are not those of its documents, or of those that mention a watchlist."""

    bucket_at: datetime
    source: str
    topic_label: str
    model_version: str
    counted: int
    rows: int
    watchlist: str | None = None
    copies_counted: int = 0
    copies: int = 0


@dataclass(frozen=True)
class RowFault:
    """A document, its key, its history and its mentions that do not belong together."""

    kind: FaultKind
    id: str
    published_at: datetime
    detail: str


@dataclass(frozen=True)
class SliceReport:
    """What was found in a slice; `rows` are its documents, published from `oldest` to `newest`."""

    span: Slice
    rows: int
    oldest: datetime | None = None
    newest: datetime | None = None
    differences: list[CountDifference] = field(default_factory=list)
    faults: list[RowFault] = field(default_factory=list)


@dataclass(frozen=True)
class KeysReport:
    """What was found among keys; `reached` is the last id read, None at the end."""

    reached: str | None
    rows: int
    faults: list[RowFault]


@contextmanager
def snapshot(engine: Engine, timeout: timedelta) -> Iterator[Connection]:
    """A read-only transaction that sees one moment, and holds vacuum back no longer than its statements may take.

    It keeps to one processor and to indexes, so that it neither takes the machine from the workers nor reads a
    table from end to end because that looked cheaper.
    """
    with engine.connect() as connection:
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        limits = {
            "statement_timeout": str(int(timeout.total_seconds() * 1000)),
            "max_parallel_workers_per_gather": "0",
            "enable_seqscan": "off",
            "jit": "off",
        }
        for name, value in limits.items():
            connection.execute(text("SELECT set_config(:name, :value, true)"), {"name": name, "value": value})
        yield connection


def next_slice(connection: Connection, before: datetime, rows: int) -> Slice:
    """The slice that ends at `before` (a whole minute) and holds about `rows` rows.

    No table has more than `rows` rows in it, unless one minute alone has; a minute is never cut. The last slice
    begins at `EARLIEST`. What has expired (`storage.retention`) is one slice, for its rows are gone and its counts
    are all that is left.
    """
    if before <= expired_before(connection):
        return Slice(EARLIEST, before)
    reached = connection.scalar(_REACHED, {"before": before, "rows": rows})
    if reached is None:
        return Slice(EARLIEST, before)
    return Slice(min(floor_to(reached, MINUTE) + MINUTE, before - MINUTE), before)


_REACHED = text("""
    SELECT max(at) FROM (
        (SELECT published_at AS at FROM document
         WHERE published_at < :before ORDER BY published_at DESC OFFSET :rows LIMIT 1)
        UNION ALL
        (SELECT published_at FROM document_revision
         WHERE published_at < :before ORDER BY published_at DESC OFFSET :rows LIMIT 1)
        UNION ALL
        (SELECT published_at FROM mention
         WHERE published_at < :before ORDER BY published_at DESC OFFSET :rows LIMIT 1)
        UNION ALL
        (SELECT bucket_at FROM opinion_minute
         WHERE bucket_at < :before ORDER BY bucket_at DESC OFFSET :rows LIMIT 1)
        UNION ALL
        (SELECT bucket_at FROM watchlist_minute
         WHERE bucket_at < :before ORDER BY bucket_at DESC OFFSET :rows LIMIT 1)
    ) AS reached
""")


def check_slice(connection: Connection, span: Slice) -> SliceReport:
    """Hold the rows of a slice against each other, however many they are."""
    parameters = {**span._asdict(), "most": MOST_NAMED}
    parameters["begin"] = max(span.begin, min(expired_before(connection), span.end))
    rows, oldest, newest = connection.execute(_ROWS, parameters).one()
    return SliceReport(
        span,
        rows,
        oldest,
        newest,
        [
            CountDifference(**row._mapping)
            for query in (_DIFFERENCES, _WATCHLIST_DIFFERENCES)
            for row in connection.execute(query, parameters)
        ],
        [
            RowFault(**row._mapping)
            for query in (_KEYLESS, _HISTORY, _STRAY_MENTIONS, BROKEN_CLUSTERS)
            for row in connection.execute(query, parameters)
        ],
    )


_ROWS = text("""
    SELECT count(*), min(published_at), max(published_at)
    FROM document WHERE published_at >= :begin AND published_at < :end
""")

_DIFFERENCES = text(f"""
    WITH r AS (
        SELECT date_trunc('minute', published_at, 'UTC') AS bucket_at, source, kind, lang, topic_label, model_version,
               count(*) AS total,
               count(*) FILTER (WHERE sentiment = 'negative') AS negative,
               count(*) FILTER (WHERE sentiment = 'neutral') AS neutral,
               count(*) FILTER (WHERE sentiment = 'positive') AS positive,
               count(*) FILTER (WHERE is_copy) AS copies,
               count(*) FILTER (WHERE is_copy AND sentiment = 'negative') AS negative_copies,
               count(*) FILTER (WHERE is_copy AND sentiment = 'neutral') AS neutral_copies,
               count(*) FILTER (WHERE is_copy AND sentiment = 'positive') AS positive_copies
        FROM (
            SELECT d.*, {IS_COPY} AS is_copy FROM document AS d {STANDING}
            WHERE d.published_at >= :begin AND d.published_at < :end
        ) AS d
        GROUP BY 1, 2, 3, 4, 5, 6
    ), m AS (
        SELECT * FROM opinion_minute WHERE bucket_at >= :begin AND bucket_at < :end
    )
    SELECT bucket_at, source, topic_label, model_version,
           coalesce(m.total, 0) AS counted, coalesce(r.total, 0) AS rows,
           coalesce(m.copies, 0) AS copies_counted, coalesce(r.copies, 0) AS copies
    FROM r FULL JOIN m USING (bucket_at, source, kind, lang, topic_label, model_version)
    WHERE (coalesce(r.total, 0), coalesce(r.negative, 0), coalesce(r.neutral, 0), coalesce(r.positive, 0),
           coalesce(r.copies, 0), coalesce(r.negative_copies, 0), coalesce(r.neutral_copies, 0),
           coalesce(r.positive_copies, 0))
       IS DISTINCT FROM
          (coalesce(m.total, 0), coalesce(m.negative, 0), coalesce(m.neutral, 0), coalesce(m.positive, 0),
           coalesce(m.copies, 0), coalesce(m.negative_copies, 0), coalesce(m.neutral_copies, 0),
           coalesce(m.positive_copies, 0))
    ORDER BY bucket_at LIMIT :most
""")  # noqa: S608  # our own query

_WATCHLIST_DIFFERENCES = text(f"""
    WITH r AS ({ROWS_PER_MINUTE}), m AS (
        SELECT * FROM watchlist_minute WHERE bucket_at >= :begin AND bucket_at < :end
    )
    SELECT bucket_at, source, topic_label, model_version, watchlist,
           coalesce(m.total, 0) AS counted, coalesce(r.total, 0) AS rows,
           coalesce(m.copies, 0) AS copies_counted, coalesce(r.copies, 0) AS copies
    FROM r FULL JOIN m USING (bucket_at, watchlist, source, kind, lang, topic_label, model_version)
    WHERE {DIFFERENT}
    ORDER BY bucket_at LIMIT :most
""")  # noqa: S608  # our own query

# LATERAL with LIMIT is a look-up by primary key for each row; a join may be planned as a scan of the other table.
_KEYLESS = text("""
    SELECT 'document_without_key' AS kind, d.id, d.published_at,
           coalesce('its key says ' || k.published_at, 'no key') AS detail
    FROM document AS d
    LEFT JOIN LATERAL (SELECT published_at FROM document_key WHERE id = d.id LIMIT 1) AS k ON true
    WHERE d.published_at >= :begin AND d.published_at < :end AND k.published_at IS DISTINCT FROM d.published_at
    ORDER BY d.published_at, d.id LIMIT :most
""")

_HISTORY = text("""
    WITH d AS (
        SELECT id, published_at, revision FROM document WHERE published_at >= :begin AND published_at < :end
    ), h AS (
        SELECT id, published_at, count(*) AS versions, max(revision) AS newest
        FROM document_revision WHERE published_at >= :begin AND published_at < :end
        GROUP BY id, published_at
    )
    SELECT 'history_broken' AS kind, id, published_at,
           CASE WHEN d.revision IS NULL THEN coalesce(h.versions, 0) || ' versions without a document'
                ELSE 'revision ' || d.revision || ' has ' || coalesce(h.versions, 0) || ' versions before it'
                     || coalesce(', the newest ' || h.newest, '') END AS detail
    FROM d FULL JOIN h USING (id, published_at)
    WHERE d.revision IS DISTINCT FROM coalesce(h.versions, 0) OR h.newest IS DISTINCT FROM nullif(d.revision, 0) - 1
    ORDER BY published_at, id LIMIT :most
""")

# Not the other way round: a document that mentions nothing is no fault, and which watchlists there were is not kept.
_STRAY_MENTIONS = text("""
    SELECT 'mention_without_document' AS kind, m.document_id AS id, m.published_at,
           'mentions ' || string_agg(m.watchlist, ', ' ORDER BY m.watchlist) AS detail
    FROM mention AS m
    LEFT JOIN LATERAL (
        SELECT true AS is_there FROM document WHERE published_at = m.published_at AND id = m.document_id LIMIT 1
    ) AS d ON true
    WHERE m.published_at >= :begin AND m.published_at < :end AND d.is_there IS NULL
    GROUP BY m.document_id, m.published_at
    ORDER BY m.published_at, m.document_id LIMIT :most
""")


def expired_before(connection: Connection) -> datetime:
    """Documents published before have expired: rows may be half gone, counts stay, so nothing is compared."""
    return connection.scalar(text("SELECT documents_before FROM retention_state")) or EARLIEST


def check_keys(connection: Connection, after: str, rows: int) -> KeysReport:
    """Look up the documents of the next `rows` keys, in the order of their ids."""
    page = connection.execute(_PAGE, {"after": after, "rows": rows}).one()
    lost = connection.execute(_DOCUMENTLESS, {"after": after, "reached": page.reached, "most": MOST_NAMED})
    reached = page.reached if page.keys == rows else None
    return KeysReport(reached, page.keys, [RowFault(**row._mapping) for row in lost])


_PAGE = text("""
    SELECT count(*) AS keys, max(id) AS reached
    FROM (SELECT id FROM document_key WHERE id > :after ORDER BY id LIMIT :rows) AS page
""")

_LOOKED_UP = """
    SELECT 'key_without_document' AS kind, k.id, k.published_at, 'no document of that time' AS detail
    FROM document_key AS k
    LEFT JOIN LATERAL (
        SELECT true AS is_there FROM document WHERE published_at = k.published_at AND id = k.id LIMIT 1
    ) AS d ON true
    WHERE d.is_there IS NULL
      AND k.published_at >= coalesce((SELECT documents_before FROM retention_state), '-infinity') AND
"""
_DOCUMENTLESS = text(_LOOKED_UP + "k.id > :after AND k.id <= :reached ORDER BY k.id LIMIT :most")
_STILL_DOCUMENTLESS = text(_LOOKED_UP + "k.id = ANY (:ids)")


def still_lost(connection: Connection, ids: Sequence[str]) -> list[RowFault]:
    """Those of these keys that have no document now."""
    return [RowFault(**row._mapping) for row in connection.execute(_STILL_DOCUMENTLESS, {"ids": list(ids)})]


def estimated_rows(connection: Connection) -> int:
    """Documents and keys, as PostgreSQL last estimated them; for progress bars."""
    return int(connection.scalar(_ESTIMATE) or 0)


_ESTIMATE = text("""
    SELECT sum(greatest(c.reltuples, 0)) FROM pg_class AS c
    WHERE c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'document'::regclass)
       OR c.oid = 'document_key'::regclass
""")


def partition_faults(connection: Connection) -> list[str]:
    """What keeps documents or mentions from being found, or the next month from beginning, in sentences; reads
    catalogues only."""
    return list(connection.scalars(_PARTITION_FAULTS))


_PARTITION_FAULTS = text("""
    WITH parent AS (
        SELECT * FROM pg_class WHERE oid IN ('document'::regclass, 'mention'::regclass)
    )
    SELECT 'the table ' || c.relname || ' is no partition of ' || parent.relname || ': its rows are not seen, its '
           || 'month takes none'
    FROM pg_class AS c JOIN parent ON c.relname ~ ('^' || parent.relname || '_y[0-9]{4}m[0-9]{2}$')
    WHERE c.relnamespace = parent.relnamespace AND c.relkind = 'r'
      AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid AND inhparent = parent.oid)
    UNION ALL
    SELECT 'the partition ' || inhrelid::regclass || ' is being detached'
    FROM pg_inherits WHERE inhparent IN (SELECT oid FROM parent) AND inhdetachpending
    UNION ALL
    SELECT 'the default partition ' || partdefid::regclass || ' is in the way of new months'
    FROM pg_partitioned_table WHERE partrelid IN (SELECT oid FROM parent) AND partdefid <> 0
    UNION ALL
    SELECT 'the role ' || current_user || ' cannot make the next partition: it does not own ' || relname || ', or '
           || 'may not create tables in schema ' || relnamespace::regnamespace
    FROM parent WHERE NOT (pg_has_role(relowner, 'USAGE') AND has_schema_privilege(relnamespace, 'CREATE'))
    ORDER BY 1
""")
