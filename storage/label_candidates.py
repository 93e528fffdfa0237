"""Stored documents that may be asked about: an even draw from the newest stretch of the stream, and any by key.

The minute counts say how many documents there are where, so a draw walks the index of a bounded number of minutes and
reads the rows it has drawn, however many documents there are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Final

from sqlalchemy import Connection, func, select, text

from storage import opt_outs
from storage.human_labels import READ_TEXT
from storage.scope_sql import IS_COPY, STANDING
from storage.tables import opinion_minute

MOST_WALKED: Final = 100_000  # entries of the index that one draw walks: about a tenth of a second
Key = tuple[datetime, str]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A document that may be asked about, as its model judged it; `text` is as it was crawled.

    Attributes:
        cluster: of its copies, if it has any; it is their earliest.
        is_queued: it waits in the queue already.
    """

    document_id: str
    published_at: datetime
    text: str
    source: str
    author: str | None
    topic_scores: dict[str, float]
    sentiment_scores: tuple[float, float, float]
    sentiment: str
    model_version: str
    cluster: int | None
    is_queued: bool

    @property
    def id(self) -> str:
        """As `storage.opt_outs.Asked` calls it."""
        return self.document_id

    @property
    def key(self) -> Key:
        return self.published_at, self.document_id


def newest_minute(connection: Connection, now: datetime) -> datetime | None:
    """The last minute of event time, not after now, that holds a document."""
    found: datetime | None = connection.scalar(
        select(func.max(opinion_minute.c.bucket_at)).where(
            opinion_minute.c.bucket_at <= now, opinion_minute.c.total > 0
        )
    )
    return found


def newest_judge(connection: Connection, minute: datetime) -> str | None:
    """The model that judged most documents of this minute."""
    counted = func.sum(opinion_minute.c.total)
    found: str | None = connection.scalar(
        select(opinion_minute.c.model_version)
        .where(opinion_minute.c.bucket_at == minute)
        .group_by(opinion_minute.c.model_version)
        .order_by(counted.desc(), opinion_minute.c.model_version)
        .limit(1)
    )
    return found


def draw(connection: Connection, since: datetime, until: datetime, wanted: int, chance: Random) -> list[Key]:
    """About so many documents published in [since, until), each as likely as any other; all where there are fewer.

    Where there are more than `MOST_WALKED`, minutes are left out by chance first, each as likely as any other.
    """
    minute = opinion_minute.c
    counts = connection.execute(
        select(minute.bucket_at, func.sum(minute.total))
        .where(minute.bucket_at >= since, minute.bucket_at < until, minute.total > 0)
        .group_by(minute.bucket_at)
        .order_by(minute.bucket_at)
    ).all()
    total = sum(count for _, count in counts)
    if total > MOST_WALKED:
        counts = [row for row in counts if chance.random() < MOST_WALKED / total] or [chance.choice(counts)]
    places = [(at, nth) for at, count in counts for nth in range(count)]
    drawn = sorted(chance.sample(places, min(wanted, len(places))))
    rows = connection.execute(_AT, {"minutes": [at for at, _ in drawn], "places": [nth for _, nth in drawn]})
    return [(row.published_at, row.id) for row in rows]


_AT = text("""
    WITH drawn AS (
        SELECT * FROM unnest(CAST(:minutes AS timestamptz[]), CAST(:places AS int[])) AS w(at, nth)
    )
    SELECT d.published_at, d.id
    FROM (SELECT at, max(nth) AS last FROM drawn GROUP BY at) AS m
    CROSS JOIN LATERAL (
        SELECT k.published_at, k.id, (row_number() OVER (ORDER BY k.published_at, k.id) - 1)::int AS nth
        FROM document AS k WHERE k.published_at >= m.at AND k.published_at < m.at + interval '1 minute'
        ORDER BY k.published_at, k.id LIMIT m.last + 1
    ) AS d
    JOIN drawn AS w ON w.at = m.at AND w.nth = d.nth
    ORDER BY d.published_at, d.id
""")


def candidates(connection: Connection, keys: Sequence[Key]) -> list[Candidate]:
    """Those of these documents that may be asked about, in the order of their keys.

    Left out is what was labelled (by id, or as the same text), answered or given up in the queue, a copy of an
    earlier document or of one in the queue, or of an author or source that is not kept any more.
    """
    rows = connection.execute(_BY_KEY, {"times": [at for at, _ in keys], "ids": [one for _, one in keys]}).all()
    found = [
        Candidate(
            row.id,
            row.published_at,
            row.read_text,
            row.source,
            row.author,
            row.topic_scores,
            (row.score_negative, row.score_neutral, row.score_positive),
            row.sentiment,
            row.model_version,
            row.cluster,
            row.is_queued,
        )
        for row in rows
    ]
    known = labelled_texts(connection, (one.text for one in found))
    refused = opt_outs.refused(connection, found) if found else []
    return [one for one, is_refused in zip(found, refused, strict=True) if not is_refused and one.text not in known]


_BY_KEY = text(f"""
    SELECT d.id, d.published_at, {READ_TEXT} AS read_text, d.source, d.author, d.topic_scores, d.score_negative,
           d.score_neutral, d.score_positive, d.sentiment, d.model_version, t.cluster,
           q.document_id IS NOT NULL AS is_queued
    FROM unnest(CAST(:times AS timestamptz[]), CAST(:ids AS text[])) AS k(published_at, id)
    CROSS JOIN LATERAL (
        SELECT * FROM document AS d WHERE d.published_at = k.published_at AND d.id = k.id LIMIT 1
    ) AS d
    {STANDING}
    LEFT JOIN label_queue AS q ON q.document_id = d.id
    WHERE NOT {IS_COPY}
      AND (q.document_id IS NULL OR q.done_at IS NULL AND q.answered_by = '{{}}')
      AND NOT EXISTS (SELECT FROM human_label AS h WHERE h.document_id = d.id)
      AND NOT EXISTS (SELECT FROM label_queue AS o WHERE o.cluster = t.cluster AND o.document_id <> d.id)
    ORDER BY d.published_at, d.id
""")  # noqa: S608  # constants


def labelled_texts(connection: Connection, texts: Iterable[str]) -> set[str]:
    """Those of these texts that a label holds word for word. Reads every label once, never a document."""
    wanted = sorted(set(texts))
    if not wanted:
        return set()
    return set(connection.scalars(_LABELLED, {"texts": wanted}))


_LABELLED = text("SELECT DISTINCT text FROM human_label WHERE text = ANY(:texts)")


def newest_labelled(connection: Connection, most: int) -> list[str]:
    """The texts that were labelled last, each once."""
    rows = connection.scalars(
        text("""
            SELECT text FROM (SELECT text, id FROM human_label ORDER BY id DESC LIMIT :read) AS l
            GROUP BY text ORDER BY max(id) DESC LIMIT :most
        """),
        {"read": 4 * most, "most": most},
    )
    return list(rows)


def queued_texts(connection: Connection) -> list[str]:
    """The texts of the documents that wait for an answer."""
    rows = connection.scalars(
        text(f"""
            SELECT {READ_TEXT} FROM label_queue AS q CROSS JOIN LATERAL (
                SELECT d.* FROM document AS d WHERE d.published_at = q.published_at AND d.id = q.document_id LIMIT 1
            ) AS d WHERE q.done_at IS NULL
        """)  # noqa: S608  # constants
    )
    return list(rows)
