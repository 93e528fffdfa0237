"""How much somebody has answered."""

from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import Connection, text


class Answered(NamedTuple):
    """Documents that a person has answered about in the console: since a time, and ever."""

    since: int
    ever: int


# By the index on annotators.
_COUNT = text("""
    SELECT count(DISTINCT document_id) FILTER (WHERE labelled_at >= :since), count(DISTINCT document_id)
    FROM human_label AS h
    WHERE annotator = :annotator AND intake = 'console' AND retracts IS NULL
      AND NOT EXISTS (SELECT FROM human_label AS r WHERE r.retracts = h.id)
""")


def answered(connection: Connection, annotator: str, since: datetime) -> Answered:
    """What stands of this person's answers; what they took back does not count."""
    return Answered(*connection.execute(_COUNT, {"annotator": annotator, "since": since}).one())


class DayOfWork(NamedTuple):
    """Answers that a person gave on a local day, and stand by."""

    annotator: str
    day: date
    answers: int


_BY_DAY = text("""
    SELECT annotator, (labelled_at AT TIME ZONE :zone)::date AS day, count(*) AS answers
    FROM human_label AS h
    WHERE labelled_at >= :since AND retracts IS NULL
      AND NOT EXISTS (SELECT FROM human_label AS r WHERE r.retracts = h.id)
    GROUP BY 1, 2 ORDER BY 1, 2
""")


def by_day(connection: Connection, since: datetime, zone: str) -> list[DayOfWork]:
    """Who answered how much on each day since then, by person and day; a day without answers is left out."""
    return [DayOfWork(*row) for row in connection.execute(_BY_DAY, {"since": since, "zone": zone})]
