"""What to answer next: nothing is proposed, so that whoever labels goes on with the newest documents."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection


class QueuedDocument(NamedTuple):
    """A document that waits for an answer, and why it was chosen."""

    document_id: str
    published_at: datetime
    reason: str
    score: float


class QueueProgress(NamedTuple):
    """How many documents wait, by reason."""

    waiting: dict[str, int]


def next_for(
    connection: Connection, annotator: str, now: datetime, *, skip: Sequence[str] = ()
) -> QueuedDocument | None:
    """The next document for this person, taken for a while; None when nothing waits."""
    return None


def complete(connection: Connection, document_id: str, annotator: str) -> None:
    """The document is answered."""


def skip(connection: Connection, document_id: str, annotator: str) -> None:
    """This person does not answer it."""


def reopen(connection: Connection, document_id: str, annotator: str, now: datetime) -> None:
    """This person takes back their answer or skip: the document is theirs again."""


def progress(connection: Connection) -> QueueProgress:
    """How much is left."""
    return QueueProgress({})
