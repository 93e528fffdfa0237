"""Documents that champion and candidate both judge: which come next, and what the two said of them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, insert, text

from core.taxonomy import Sentiment
from storage.human_labels import READ_TEXT
from storage.scope_sql import IS_COPY, STANDING
from storage.shadow_runs import ShadowRun
from storage.tables import shadow_verdict


class JudgedDocument(NamedTuple):
    """A stored document with the champion's verdict.

    Attributes:
        mentions: sentiment toward each watchlist.
    """

    published_at: datetime
    id: str
    kind: str
    source: str
    lang: str
    title: str | None
    text: str
    quoted_text: str | None
    topic_label: str
    score_topic: float
    sentiment: Sentiment
    score_negative: float
    mentions: dict[str, Sentiment]


class VerdictRow(NamedTuple):
    """The columns of `shadow_verdict` but the run.

    Attributes:
        mentions: watchlist -> sentiment by champion and by candidate.
    """

    published_at: datetime
    document_id: str
    source: str
    kind: str
    lang: str
    topic_old: str
    topic_new: str
    sentiment_old: str
    sentiment_new: str
    score_negative_old: float
    score_negative_new: float
    score_topic_old: float
    score_topic_new: float
    mentions: dict[str, list[str]] | None


class Pair(NamedTuple):
    """Both verdicts on one document, and what the document is now.

    Attributes:
        is_copy: of another one, so that the detector does not count it.
        is_counted: the champion's verdict is the one that is stored and counted still.
        cluster: the same for documents that are copies of one another.
    """

    published_at: datetime
    document_id: str
    source: str
    kind: str
    lang: str
    topic_old: str
    topic_new: str
    sentiment_old: str
    sentiment_new: str
    score_negative_old: float
    score_negative_new: float
    score_topic_old: float
    score_topic_new: float
    mentions: dict[str, list[str]] | None
    is_copy: bool
    is_counted: bool
    cluster: str


_NEXT = text("""
    SELECT d.published_at, d.id, d.kind, d.source, d.lang, d.title, d.text, d.quoted_text, d.topic_label,
           coalesce((d.topic_scores ->> d.topic_label)::real, 0), d.sentiment, d.score_negative, d.mentions
    FROM document AS d
    WHERE d.published_at >= :at AND (d.published_at, d.id) > (:at, :id) AND d.published_at < :until
      AND d.model_version = :champion
      AND (d.published_at < :live_from OR ('x' || left(md5(d.id), 8))::bit(32)::bigint < :share * 4294967296)
    ORDER BY d.published_at, d.id LIMIT :limit
""")
_PAIRS = text(f"""
    SELECT v.published_at, v.document_id, v.source, v.kind, v.lang, v.topic_old, v.topic_new, v.sentiment_old,
           v.sentiment_new, v.score_negative_old, v.score_negative_new, v.score_topic_old, v.score_topic_new,
           v.mentions, {IS_COPY},
           d.model_version = r.champion AND d.sentiment = v.sentiment_old AND d.topic_label = v.topic_old,
           coalesce('c' || t.cluster, md5(d.text))
    FROM shadow_verdict AS v
    JOIN shadow_run AS r ON r.id = v.run_id
    JOIN document AS d ON d.published_at = v.published_at AND d.id = v.document_id
    {STANDING}
    WHERE v.run_id = :run ORDER BY v.published_at, v.document_id
""")  # noqa: S608  # constants
_TEXTS = text(f"""
    SELECT d.id, {READ_TEXT} FROM document AS d
    JOIN unnest(CAST(:times AS timestamptz[]), CAST(:ids AS text[])) AS k(published_at, id)
      ON d.published_at = k.published_at AND d.id = k.id
""")  # noqa: S608  # constants


def next_documents(connection: Connection, run: ShadowRun, *, until: datetime, limit: int) -> list[JudgedDocument]:
    """The next documents of the run, published before `until`, that the champion has judged.

    What is stored late, behind the place that is reached, is not read any more.
    """
    if run.window_from is None:
        return []
    asked = {
        "at": run.reached_at or run.window_from,
        "id": run.reached_id or "",
        "until": until,
        "champion": run.champion,
        "live_from": run.live_from,
        "share": run.share,
        "limit": limit,
    }
    return [
        JudgedDocument._make([*values, {one["watchlist"]: one["sentiment"] for one in mentions or ()}])
        for *values, mentions in connection.execute(_NEXT, asked)
    ]


def add(connection: Connection, run: int, rows: Sequence[VerdictRow]) -> None:
    """Keep them."""
    if rows:
        connection.execute(insert(shadow_verdict), [{"run_id": run, **row._asdict()} for row in rows])


def pairs(connection: Connection, run: int) -> list[Pair]:
    """All that are kept of a run, of documents that are still stored, by time."""
    return [Pair(*row) for row in connection.execute(_PAIRS, {"run": run})]


def texts(connection: Connection, documents: Iterable[tuple[datetime, str]]) -> dict[str, str]:
    """What these documents say, as a model reads it, by id; those that are gone are left out."""
    wanted = list(documents)
    if not wanted:
        return {}
    times, ids = zip(*wanted, strict=True)
    return {row[0]: row[1] for row in connection.execute(_TEXTS, {"times": list(times), "ids": list(ids)})}
