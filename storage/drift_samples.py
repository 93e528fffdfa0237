"""A bounded, even sample of the documents of a span; copies of one text are one document.

The minute counts say where documents are, so the rows of a few minutes are read by the primary key, and no others.
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection, func, select, text

from storage.human_labels import READ_TEXT
from storage.scope_sql import IS_COPY, STANDING
from storage.tables import opinion_minute

MOST_CHARS: Final = 2000  # of a text are read; a page of a novel says no more of its language than its beginning
MINUTE: Final = timedelta(minutes=1)


class SampledDocument(NamedTuple):
    """A stored document as the classifier reads it, at its beginning."""

    id: str
    published_at: datetime
    source: str
    lang: str
    text: str


def newest_minute(connection: Connection) -> datetime | None:
    """The minute of the newest document; None while there is none."""
    found: datetime | None = connection.scalar(select(func.max(opinion_minute.c.bucket_at)))
    return found


def oldest_minute(connection: Connection) -> datetime | None:
    """The minute of the oldest document; None while there is none."""
    found: datetime | None = connection.scalar(select(func.min(opinion_minute.c.bucket_at)))
    return found


def voices(connection: Connection, start: datetime, end: datetime) -> int:
    """Documents of [start, end) that are nobody's copy, by the counts."""
    counted = opinion_minute.c
    total = select(func.sum(counted.total - counted.copies)).where(
        counted.bucket_at >= start, counted.bucket_at < end
    )
    return int(connection.scalar(total) or 0)


# Of equal rows and counts the same sample comes back: every n-th voice, by the counts of the minutes before it.
_SAMPLE = text(f"""
    WITH minutes AS (
        SELECT bucket_at, sum(total - copies)::bigint AS here
        FROM opinion_minute WHERE bucket_at >= :start AND bucket_at < :end GROUP BY bucket_at
    ), placed AS (
        SELECT bucket_at, here, (sum(here) OVER (ORDER BY bucket_at))::bigint AS upto,
               (sum(here) OVER ())::bigint AS everything
        FROM minutes
    ), taken AS (
        SELECT bucket_at, CASE WHEN everything <= :most THEN here
            ELSE upto * :most / everything - (upto - here) * :most / everything END AS take
        FROM placed WHERE here > 0
    )
    SELECT d.id, d.published_at, d.source, d.lang, d.text
    FROM taken CROSS JOIN LATERAL (
        SELECT d.id, d.published_at, d.source, d.lang, d.topic_uncertain, d.model_version,
               left({READ_TEXT}, {MOST_CHARS}) AS text
        FROM document AS d {STANDING}
        WHERE d.published_at >= taken.bucket_at AND d.published_at < taken.bucket_at + :minute AND NOT {IS_COPY}
        ORDER BY d.published_at, d.id LIMIT taken.take::int
    ) AS d
    WHERE taken.take > 0
      AND (CAST(:doubted_by AS text) IS NULL OR (d.topic_uncertain AND d.model_version = :doubted_by))
    ORDER BY d.published_at, d.id
""")  # noqa: S608  # our own conditions


def sample(
    connection: Connection, start: datetime, end: datetime, *, most: int, doubted_by: str | None = None
) -> list[SampledDocument]:
    """At most `most` documents of [start, end), in order of time; all of them where there are fewer.

    Args:
        start, end: whole minutes.
        doubted_by: of those that are read, only documents whose topic this model doubted.
    """
    values = {"start": start, "end": end, "most": most, "minute": MINUTE, "doubted_by": doubted_by}
    return [SampledDocument(*row) for row in connection.execute(_SAMPLE, values)]
