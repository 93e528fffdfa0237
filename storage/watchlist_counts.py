"""The minute counts of each watchlist, by the sentiment toward it: always equal to the rows of `mention`."""

from collections import defaultdict
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

from sqlalchemy import Connection, text

from core.windows import MINUTE, floor_to
from storage import mentions


class Counted(mentions.Mentioning, Protocol):
    """What of a document is counted."""

    @property
    def source(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def lang(self) -> str: ...
    @property
    def topic_label(self) -> str: ...


class WatchlistKey(NamedTuple):
    """The primary key of `watchlist_minute`."""

    bucket_at: datetime
    watchlist: str
    source: str
    kind: str
    lang: str
    topic_label: str
    model_version: str


class WatchlistChanges:
    """What a batch adds to and takes from the counts."""

    def __init__(self) -> None:
        self._by_key: defaultdict[WatchlistKey, dict[str, int]] = defaultdict(
            lambda: {"negative": 0, "neutral": 0, "positive": 0}
        )

    def add(self, document: Counted, times: int = 1) -> None:
        """Count the mentions of a document."""
        if not document.mentions:
            return
        minute = floor_to(document.published_at, MINUTE)
        for row in mentions.rows_of(document):
            key = WatchlistKey(
                minute,
                row.watchlist,
                document.source,
                document.kind,
                document.lang,
                document.topic_label,
                row.model_version,
            )
            self._by_key[key][row.sentiment] += times

    def remove(self, document: Counted) -> None:
        """Uncount those of a version that was replaced."""
        self.add(document, -1)

    def apply(self, connection: Connection) -> None:
        """Move the counts, in the caller's transaction; every writer takes the locks in this one order."""
        ordered = [(key, change) for key, change in sorted(self._by_key.items()) if any(change.values())]
        if not ordered:
            return
        keys = zip(*(key for key, _ in ordered), strict=True)
        columns: dict[str, Any] = dict(zip(WatchlistKey._fields, map(list, keys), strict=True))
        counts = {name: [change[name] for _, change in ordered] for name in ("negative", "neutral", "positive")}
        connection.execute(_UPSERT, {**columns, **counts})


_UPSERT: Final = text("""
    INSERT INTO watchlist_minute AS m
        (bucket_at, watchlist, source, kind, lang, topic_label, model_version, total, negative, neutral, positive)
    SELECT bucket_at, watchlist, source, kind, lang, topic_label, model_version,
           negative + neutral + positive, negative, neutral, positive
    FROM unnest(CAST(:bucket_at AS timestamptz[]), CAST(:watchlist AS text[]), CAST(:source AS text[]),
                CAST(:kind AS text[]), CAST(:lang AS text[]), CAST(:topic_label AS text[]),
                CAST(:model_version AS text[]), CAST(:negative AS int[]), CAST(:neutral AS int[]),
                CAST(:positive AS int[])) WITH ORDINALITY
         AS c(bucket_at, watchlist, source, kind, lang, topic_label, model_version, negative, neutral, positive, nth)
    ORDER BY nth
    ON CONFLICT (bucket_at, watchlist, source, kind, lang, topic_label, model_version) DO UPDATE SET
        total = m.total + excluded.total,
        negative = m.negative + excluded.negative,
        neutral = m.neutral + excluded.neutral,
        positive = m.positive + excluded.positive
""")

# What the counts have to be, from the rows of [:begin, :end). LATERAL with LIMIT is a look-up by primary key for each
# mention; a join may be planned as a scan of all documents.
ROWS_PER_MINUTE: Final = """
    SELECT date_trunc('minute', m.published_at, 'UTC') AS bucket_at, m.watchlist, d.source, d.kind, d.lang,
           d.topic_label, m.model_version, count(*) AS total,
           count(*) FILTER (WHERE m.sentiment = 'negative') AS negative,
           count(*) FILTER (WHERE m.sentiment = 'neutral') AS neutral,
           count(*) FILTER (WHERE m.sentiment = 'positive') AS positive
    FROM mention AS m
    CROSS JOIN LATERAL (
        SELECT source, kind, lang, topic_label FROM document
        WHERE published_at = m.published_at AND id = m.document_id LIMIT 1
    ) AS d
    WHERE m.published_at >= :begin AND m.published_at < :end
    GROUP BY 1, 2, 3, 4, 5, 6, 7
"""


def recount(connection: Connection, begin: datetime, end: datetime) -> int:
    """Make the counts of [begin, end), whole minutes, anew from the rows; how many lines were not as they had to be.

    Writers of counts wait until the caller's transaction ends: keep the span small.
    """
    # After it no transaction has counted what it has not committed, and each one that has not counted yet will.
    connection.execute(text("LOCK TABLE watchlist_minute IN EXCLUSIVE MODE"))
    return connection.execute(_RECOUNT, {"begin": begin, "end": end}).rowcount


_RECOUNT: Final = text(f"""
    WITH r AS ({ROWS_PER_MINUTE}), m AS (
        SELECT * FROM watchlist_minute WHERE bucket_at >= :begin AND bucket_at < :end
    ), wrong AS (
        SELECT bucket_at, watchlist, source, kind, lang, topic_label, model_version,
               coalesce(r.total, 0) AS total, coalesce(r.negative, 0) AS negative,
               coalesce(r.neutral, 0) AS neutral, coalesce(r.positive, 0) AS positive
        FROM r FULL JOIN m USING (bucket_at, watchlist, source, kind, lang, topic_label, model_version)
        WHERE (coalesce(r.total, 0), coalesce(r.negative, 0), coalesce(r.neutral, 0), coalesce(r.positive, 0))
           IS DISTINCT FROM
              (coalesce(m.total, 0), coalesce(m.negative, 0), coalesce(m.neutral, 0), coalesce(m.positive, 0))
    )
    INSERT INTO watchlist_minute
        (bucket_at, watchlist, source, kind, lang, topic_label, model_version, total, negative, neutral, positive)
    SELECT * FROM wrong
    ON CONFLICT (bucket_at, watchlist, source, kind, lang, topic_label, model_version) DO UPDATE SET
        total = excluded.total, negative = excluded.negative, neutral = excluded.neutral, positive = excluded.positive
""")  # noqa: S608  # our own query
