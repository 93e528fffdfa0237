"""The documents behind an excess: a bounded sample of voices or of copies, and what a copy cluster holds of a span.

The minute counts say where they are, so a sample reads the rows of a few minutes and no others. Of equal counts
and rows the same sample comes back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from storage.bucket_counts import BucketCount
from storage.excess_counts import Scope, counted_minutes
from storage.scope_sql import IS_COPY, STANDING, scope_sql

MOST_CHARS: Final = 500  # of a text are looked at; its beginning says what it is about


@dataclass(frozen=True, slots=True)
class CountedDocument:
    """A document that a series counts, or a copy of one; `cluster` is that of its copies, if it has any;
    `score` how clearly negative it is; `text` its title and beginning."""

    id: str
    published_at: datetime
    source: str
    topic: str
    cluster: int | None
    score: float
    text: str


@dataclass(frozen=True, slots=True)
class Sample:
    """Documents of a span, evenly spread over them; `of` is how many there are by the counts."""

    documents: Sequence[CountedDocument]
    of: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """Copies of one story; the earliest is their voice.

    Attributes:
        carriers: all documents there are of it, whenever and whatever they are.
        title: the beginning of the voice's title or text; None once the voice is gone.
    """

    id: int
    voice: str
    first_at: datetime
    carriers: int
    title: str | None


@dataclass(frozen=True, slots=True)
class ExampleDocument:
    """A document that is shown; its text is as it was crawled.

    Attributes:
        carriers: how many documents are copies of each other and this, itself among them, whenever they were
            published and whatever they are (`storage.copies`).
    """

    id: str
    published_at: datetime
    source: str
    url: str | None
    title: str | None
    text: str
    carriers: int


def examples(connection: Connection, keys: Sequence[tuple[datetime, str]]) -> list[ExampleDocument]:
    """These documents, by `published_at` and id, in the order asked for."""
    rows = connection.execute(
        text("""
            SELECT d.id, d.published_at, d.source, d.url, d.title, d.text,
                   coalesce(c.documents, 1) AS carriers
            FROM unnest(CAST(:times AS timestamptz[]), CAST(:ids AS text[]))
                WITH ORDINALITY AS k(published_at, id, nth)
            CROSS JOIN LATERAL (
                SELECT * FROM document AS d WHERE d.published_at = k.published_at AND d.id = k.id LIMIT 1
            ) AS d
            LEFT JOIN copy_text AS t ON t.id = d.copy_text
            LEFT JOIN copy_cluster AS c ON c.id = t.cluster
            ORDER BY k.nth
        """),
        {"times": [at for at, _ in keys], "ids": [one for _, one in keys]},
    )
    return [ExampleDocument(**row._mapping) for row in rows]


def sample(
    connection: Connection, scope: Scope, start: datetime, end: datetime, *, most: int, is_copies: bool = False
) -> Sample:
    """At most `most` of what the scope counts in [start, end): all, or of each minute its share of them.

    Args:
        is_copies: not the voices that are counted but the copies that are not.
    """
    minutes = counted_minutes(connection, scope, start, end, is_copies=is_copies)
    of = sum(count for _, count in minutes)
    wanted: list[tuple[datetime, int]] = []
    seen = 0
    for at, count in minutes:
        before, seen = seen, seen + count
        take = count if of <= most else seen * most // of - before * most // of
        if take:
            wanted.append((at, take))
    if not wanted:
        return Sample([], of)
    sql = scope_sql(scope)
    rows = connection.execute(
        text(f"""
            SELECT d.id, d.published_at, d.source, d.topic_label, d.cluster, d.score, d.text
            FROM unnest(CAST(:minutes AS timestamptz[]), CAST(:takes AS int[])) AS m(at, take)
            CROSS JOIN LATERAL (
                SELECT d.id, d.published_at, d.source, d.topic_label, t.cluster, {sql.judged}.score_negative AS score,
                       left(coalesce(d.title || ' ', '') || d.text, {MOST_CHARS}) AS text
                FROM document AS d {sql.mentions} {STANDING}
                WHERE d.published_at >= m.at AND d.published_at < m.at + interval '1 minute'
                  AND {sql.is_of} AND {sql.is_counted} AND {"" if is_copies else "NOT"} {IS_COPY}
                ORDER BY d.published_at, d.id LIMIT m.take
            ) AS d
            ORDER BY d.published_at, d.id
        """),  # noqa: S608  # our own conditions
        {"minutes": [at for at, _ in wanted], "takes": [take for _, take in wanted], **sql.values},
    )
    return Sample([CountedDocument(*row) for row in rows], of)


def clusters(connection: Connection, ids: Sequence[int]) -> dict[int, Cluster]:
    """What is known of these clusters."""
    rows = connection.execute(
        text(f"""
            SELECT c.id, c.first_id, c.first_at, c.documents, d.title
            FROM copy_cluster AS c
            LEFT JOIN LATERAL (
                SELECT left(coalesce(d.title, d.text), {MOST_CHARS}) AS title FROM document AS d
                WHERE d.published_at = c.first_at AND d.id = c.first_id LIMIT 1
            ) AS d ON true
            WHERE c.id = ANY(:ids)
        """),  # noqa: S608  # our own number
        {"ids": list(ids)},
    )
    return {row.id: Cluster(row.id, row.first_id, row.first_at, row.documents, row.title) for row in rows}


def cluster_buckets(
    connection: Connection, cluster: int, scope: Scope, bucket: timedelta, start: datetime, end: datetime
) -> list[BucketCount]:
    """What there is of a cluster by bucket of [start, end); its copies follow an earlier document of it."""
    sql = scope_sql(scope)
    is_negative = f"{sql.judged}.sentiment = 'negative'"
    rows = connection.execute(
        text(f"""
            SELECT date_bin(:bucket, d.published_at, '1970-01-01Z') AS at,
                   count(*) FILTER (WHERE {is_negative})::int AS negative, count(*)::int AS total,
                   count(*) FILTER (WHERE {is_negative} AND {IS_COPY})::int AS negative_copies,
                   count(*) FILTER (WHERE {IS_COPY})::int AS copies
            FROM document AS d JOIN copy_text AS t ON t.id = d.copy_text
            {sql.mentions}
            WHERE t.cluster = :cluster AND d.published_at >= :start AND d.published_at < :end AND {sql.is_of}
            GROUP BY 1 ORDER BY 1
        """),  # noqa: S608  # our own conditions
        {"bucket": bucket, "cluster": cluster, "start": start, "end": end, **sql.values},
    )
    return [BucketCount(at, (), *counts) for at, *counts in rows]
