"""How much somebody has answered."""

from datetime import datetime
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
