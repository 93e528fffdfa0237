"""The minute counts of each watchlist, by the sentiment toward it, and how many of them are copies: always equal to
the rows of `mention`."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

from sqlalchemy import Connection, text

from core.windows import MINUTE, floor_to
from storage import mentions
from storage.minute_counts import COPIES, SENTIMENTS, Standing


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
            lambda: dict.fromkeys((*SENTIMENTS, *COPIES), 0)
        )

    def add(self, document: Counted) -> None:
        """Count the mentions of a document."""
        self._move(document, 1)

    def remove(self, document: Counted) -> None:
        """Uncount those of a version that was replaced."""
        self._move(document, -1)

    def move_copies(self, standings: Iterable[Standing[Counted]]) -> None:
        """Count among the copies the mentions of those that are copies now, and no longer of those that were."""
        for standing in standings:
            if standing.was_copy and standing.before is not None:
                self._move(standing.before, -1, "_copies")
            if standing.is_copy and standing.after is not None:
                self._move(standing.after, 1, "_copies")

    def _move(self, document: Counted, times: int, suffix: str = "") -> None:
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
            self._by_key[key][f"{row.sentiment}{suffix}"] += times

    def apply(self, connection: Connection) -> None:
        """Move the counts, in the caller's transaction; every writer takes the locks in this one order."""
        ordered = [(key, change) for key, change in sorted(self._by_key.items()) if any(change.values())]
        if not ordered:
            return
        keys = zip(*(key for key, _ in ordered), strict=True)
        columns: dict[str, Any] = dict(zip(WatchlistKey._fields, map(list, keys), strict=True))
        counts = {name: [change[name] for _, change in ordered] for name in (*SENTIMENTS, *COPIES)}
        connection.execute(_UPSERT, {**columns, **counts})


_UPSERT: Final = text("""
    INSERT INTO watchlist_minute AS m
        (bucket_at, watchlist, source, kind, lang, topic_label, model_version, total, negative, neutral, positive,
         copies, negative_copies, neutral_copies, positive_copies)
    SELECT bucket_at, watchlist, source, kind, lang, topic_label, model_version,
           negative + neutral + positive, negative, neutral, positive,
           negative_copies + neutral_copies + positive_copies, negative_copies, neutral_copies, positive_copies
    FROM unnest(CAST(:bucket_at AS timestamptz[]), CAST(:watchlist AS text[]), CAST(:source AS text[]),
                CAST(:kind AS text[]), CAST(:lang AS text[]), CAST(:topic_label AS text[]),
                CAST(:model_version AS text[]), CAST(:negative AS int[]), CAST(:neutral AS int[]),
                CAST(:positive AS int[]), CAST(:negative_copies AS int[]), CAST(:neutral_copies AS int[]),
                CAST(:positive_copies AS int[])) WITH ORDINALITY
         AS c(bucket_at, watchlist, source, kind, lang, topic_label, model_version, negative, neutral, positive,
              negative_copies, neutral_copies, positive_copies, nth)
    ORDER BY nth
    ON CONFLICT (bucket_at, watchlist, source, kind, lang, topic_label, model_version) DO UPDATE SET
        total = m.total + excluded.total,
        negative = m.negative + excluded.negative,
        neutral = m.neutral + excluded.neutral,
        positive = m.positive + excluded.positive,
        copies = m.copies + excluded.copies,
        negative_copies = m.negative_copies + excluded.negative_copies,
        neutral_copies = m.neutral_copies + excluded.neutral_copies,
        positive_copies = m.positive_copies + excluded.positive_copies
""")

# What the counts have to be, from the rows of [:begin, :end). LATERAL with LIMIT is a look-up by primary key for each
# mention; a join may be planned as a scan of all documents.
ROWS_PER_MINUTE: Final = """
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
        SELECT source, kind, lang, topic_label, copy_text FROM document
        WHERE published_at = m.published_at AND id = m.document_id LIMIT 1
    ) AS d
    LEFT JOIN LATERAL (SELECT cluster FROM copy_text WHERE id = d.copy_text LIMIT 1) AS t ON true
    LEFT JOIN LATERAL (
        SELECT (first_at, first_id) <> (m.published_at, m.document_id) AS is_copy
        FROM copy_cluster WHERE id = t.cluster LIMIT 1
    ) AS c ON true
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
