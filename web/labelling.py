"""What the labelling page does: the next document, an answer, a skip, an undo; each in one transaction.

Only this file knows `storage.label_queue`. Where the queue proposes nothing, the newest documents that the person has
not answered about come next.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from core.taxonomy import Head
from storage import human_labels, label_queue, labelling_texts, people_verdicts
from storage.human_labels import NewLabel, StoredText
from storage.labelling_texts import Cursor, LabellingText

MOST_GONE: Final = 20  # documents of the queue that are no longer stored, before a page gives up on it
MAX_SECONDS: Final = 3600.0  # who takes longer has done something else meanwhile: the time is not known


@dataclass(frozen=True, slots=True)
class Offered:
    """A document to answer about; `reason` is the queue's, None for one that it did not propose."""

    document: LabellingText
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Sitting:
    """Who answers, by which guideline, at what time.

    Attributes:
        nonce: of the page; an answer that is sent twice is known by it.
        seconds: how long it took; None if unknown.
        is_adjudication: it settles what others disagree about.
    """

    annotator: str
    guideline: str
    now: datetime
    nonce: str
    seconds: float | None
    is_adjudication: bool = False


def text_key(document: LabellingText) -> str:
    """Tells on sending whether the document still reads as it did when it was shown."""
    return hashlib.sha256(document.text.encode()).hexdigest()


def next_document(connection: Connection, annotator: str, now: datetime, *, before: Cursor | None) -> Offered | None:
    """What this person answers next.

    Args:
        before: where they are among the newest documents, for when the queue proposes nothing.
    """
    gone: list[str] = []
    while len(gone) < MOST_GONE:
        queued = label_queue.next_for(connection, annotator, now, skip=gone)
        if queued is None:
            break
        found = labelling_texts.by_id(connection, [queued.document_id])
        if found:
            return Offered(found[0], queued.reason)
        gone.append(queued.document_id)
    newest = labelling_texts.newest_unanswered(connection, annotator, before=before)
    return Offered(newest[0]) if newest else None


def waiting(connection: Connection) -> int:
    """Documents that are left in the queue."""
    return sum(label_queue.progress(connection).waiting.values())


def answer(connection: Connection, document: LabellingText, answers: Mapping[Head, str], sitting: Sitting) -> int:
    """Store a person's answers, show them from now on, and take the document out of the queue.

    Returns:
        How many were new; 0 when the same page was sent before.
    """
    stored = StoredText(document.document_id, document.text, document.body, document.lang, document.source)
    labels = [_label(stored, head, said, sitting) for head, said in answers.items()]
    return people_verdicts.record(connection, labels)


def _label(document: StoredText, head: Head, said: str, sitting: Sitting) -> NewLabel:
    sent = (sitting.annotator, document.document_id, head, sitting.nonce)
    return NewLabel(
        hashlib.sha256("\0".join(("console", *sent)).encode()).digest(),
        document.document_id,
        document.text,
        document.lang,
        document.source,
        head,
        said,
        sitting.annotator,
        sitting.now,
        sitting.guideline,
        sitting.seconds,
        "console",
        sitting.is_adjudication,
    )


def skip(connection: Connection, document_id: str, annotator: str) -> None:
    """Leave a document to others."""
    label_queue.skip(connection, document_id, annotator)


def undo(connection: Connection, annotator: str, now: datetime) -> str | None:
    """Take back what this person answered last on this page. Returns the document; None: there was nothing."""
    last = human_labels.newest_of(connection, annotator, "console")
    if not last:
        return None
    human_labels.retract(connection, last, by=annotator, now=now, intake="console")
    document_id = last[0].document_id
    if document_id:
        people_verdicts.renew(connection, [document_id])
        label_queue.reopen(connection, document_id, annotator, now)
    return document_id
