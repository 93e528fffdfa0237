"""What the minute counts of each watchlist have to be, and making them so where they are not."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from storage.minute_counts import COPIES, SENTIMENTS
from storage.scope_sql import IS_COPY, STANDING

# What the counts have to be, from the rows of [:begin, :end). LATERAL with LIMIT is a look-up by primary key for each
# mention; a join may be planned as a scan of all documents.
ROWS_PER_MINUTE: Final = f"""
    SELECT date_trunc('minute', m.published_at, 'UTC') AS bucket_at, m.watchlist, d.source, d.kind, d.lang,
           d.topic_label, m.model_version, count(*) AS total,
           count(*) FILTER (WHERE m.sentiment = 'negative') AS negative,
           count(*) FILTER (WHERE m.sentiment = 'neutral') AS neutral,
           count(*) FILTER (WHERE m.sentiment = 'positive') AS positive,
           count(*) FILTER (WHERE c.is_copy) AS copies,
           count(*) FILTER (WHERE c.is_copy AND m.sentiment = 'negative') AS negative_copies,
           count(*) FILTER (WHERE c.is_copy AND m.sentiment = 'neutral') AS neutral_copies,
           count(*) FILTER (WHERE c.is_copy AND m.sentiment = 'positive') AS positive_copies
    FROM mention AS m
    CROSS JOIN LATERAL (
        SELECT id, published_at, source, kind, lang, topic_label, copy_text FROM document
        WHERE published_at = m.published_at AND id = m.document_id LIMIT 1
    ) AS d
    {STANDING}
    CROSS JOIN LATERAL (SELECT {IS_COPY} AS is_copy) AS c
    WHERE m.published_at >= :begin AND m.published_at < :end
    GROUP BY 1, 2, 3, 4, 5, 6, 7
"""  # noqa: S608  # our own words


def recount(connection: Connection, begin: datetime, end: datetime) -> int:
    """Make the counts of [begin, end), whole minutes, anew from the rows; how many lines were not as they had to be.

    Writers of counts wait until the caller's transaction ends: keep the span small.
    """
    # After it no transaction has counted what it has not committed, and each one that has not counted yet will.
    connection.execute(text("LOCK TABLE watchlist_minute IN EXCLUSIVE MODE"))
    return connection.execute(_RECOUNT, {"begin": begin, "end": end}).rowcount


_COUNTS: Final = ("total", *SENTIMENTS, "copies", *COPIES)


def _counts_of(alias: str) -> str:
    return "(" + ", ".join(f"coalesce({alias}.{name}, 0)" for name in _COUNTS) + ")"


# Lines of the rows (r) and of the counts (m) that are not the same.
DIFFERENT: Final = f"{_counts_of('r')} IS DISTINCT FROM {_counts_of('m')}"

_RECOUNT: Final = text(f"""
    WITH r AS ({ROWS_PER_MINUTE}), m AS (
        SELECT * FROM watchlist_minute WHERE bucket_at >= :begin AND bucket_at < :end
    ), wrong AS (
        SELECT bucket_at, watchlist, source, kind, lang, topic_label, model_version,
               {", ".join(f"coalesce(r.{name}, 0)" for name in _COUNTS)}
        FROM r FULL JOIN m USING (bucket_at, watchlist, source, kind, lang, topic_label, model_version)
        WHERE {DIFFERENT}
    )
    INSERT INTO watchlist_minute
        (bucket_at, watchlist, source, kind, lang, topic_label, model_version, {", ".join(_COUNTS)})
    SELECT * FROM wrong
    ON CONFLICT (bucket_at, watchlist, source, kind, lang, topic_label, model_version) DO UPDATE SET
        {", ".join(f"{name} = excluded.{name}" for name in _COUNTS)}
""")  # noqa: S608  # our own query
