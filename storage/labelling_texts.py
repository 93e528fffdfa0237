"""Documents as somebody reads them who is to answer: what they say, what they are about to, what the model thinks."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, text

from storage.human_labels import READ_TEXT

Cursor = tuple[datetime, str]
"""`(published_at, id)` of a document."""

PARENT_CHARS: Final = 600  # of what a comment answers to: enough to understand it


class LabellingText(NamedTuple):
    """A document with its verdict.

    Attributes:
        text: what the classifier read, and what an answer is about: title, body and what it quotes.
        topic_score, sentiment_score: of the model's answers.
    """

    document_id: str
    published_at: datetime
    kind: str
    source: str
    lang: str
    url: str | None
    title: str | None
    body: str
    quoted_text: str | None
    text: str
    parent_id: str | None
    topic_label: str
    topic_score: float
    sentiment: str
    sentiment_score: float
    model_version: str

    @property
    def cursor(self) -> Cursor:
        return self.published_at, self.document_id


class Parent(NamedTuple):
    """The document that a comment answers to, its text cut after `PARENT_CHARS`."""

    title: str | None
    text: str
    source: str


_SELECT: Final = f"""
    SELECT d.id, d.published_at, d.kind, d.source, d.lang, d.url, d.title, d.text, d.quoted_text, {READ_TEXT},
           d.parent_id, d.topic_label, coalesce((d.topic_scores ->> d.topic_label)::float8, 0), d.sentiment,
           CASE d.sentiment WHEN 'negative' THEN d.score_negative WHEN 'positive' THEN d.score_positive
           ELSE d.score_neutral END, d.model_version
    FROM document AS d
"""  # noqa: S608  # constants
# Through document_key, so that only the partition that holds the id is read.
_BY_ID = text(
    f"{_SELECT} JOIN document_key AS k ON k.published_at = d.published_at AND k.id = d.id WHERE k.id = ANY(:ids)"
)
_PARENT = text(
    "SELECT d.title, left(d.text, :chars), d.source FROM document AS d "
    "JOIN document_key AS k ON k.published_at = d.published_at AND k.id = d.id WHERE k.id = :id"
)
# OFFSET 0 keeps the planner from joining all answers to all documents to find one.
_UNANSWERED = """
    NOT EXISTS (
        SELECT FROM human_label AS h
        WHERE h.document_id = d.id AND (CAST(:annotator AS text) IS NULL OR h.annotator = :annotator)
        AND h.retracts IS NULL AND NOT EXISTS (SELECT FROM human_label AS r WHERE r.retracts = h.id) OFFSET 0
    )
"""
_NEWEST = text(f"{_SELECT} WHERE {_UNANSWERED} ORDER BY d.published_at DESC, d.id DESC LIMIT :limit")
_BEFORE = text(
    f"{_SELECT} WHERE (d.published_at, d.id) < (:before_at, :before_id) AND {_UNANSWERED} "
    "ORDER BY d.published_at DESC, d.id DESC LIMIT :limit"
)


def by_id(connection: Connection, ids: Sequence[str]) -> list[LabellingText]:
    """The stored documents among these ids, in the order of the ids."""
    found = {row[0]: LabellingText(*row) for row in connection.execute(_BY_ID, {"ids": list(ids)})}
    return [found[one] for one in ids if one in found]


def parent_of(connection: Connection, document: LabellingText) -> Parent | None:
    """What the document answers to, if it is stored."""
    if document.parent_id is None:
        return None
    row = connection.execute(_PARENT, {"id": document.parent_id, "chars": PARENT_CHARS}).first()
    return Parent(*row) if row else None


def newest_unanswered(
    connection: Connection, annotator: str | None, *, before: Cursor | None = None, limit: int = 1
) -> list[LabellingText]:
    """The newest documents that this person (None: anybody) has not answered about, newest first."""
    asked: dict[str, object] = {"annotator": annotator, "limit": limit}
    if before is None:
        found = connection.execute(_NEWEST, asked)
    else:
        found = connection.execute(_BEFORE, {**asked, "before_at": before[0], "before_id": before[1]})
    return [LabellingText(*row) for row in found]
