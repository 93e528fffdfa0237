"""What people are asked to label: each document in one person's hands at a time, in an order that keeps the shares.

Holds no word of a document: the text is read when it is handed out, so what was erased is asked about no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import Connection, func, text, update

from storage import opt_outs
from storage.human_labels import READ_TEXT
from storage.tables import label_queue

Reason = Literal["random", "alert", "uncertain", "diverse"]
LEASE: Final = timedelta(minutes=15)  # for one document; who went for lunch does not hold up the others
MOST_SKIPS: Final = 2  # so many people who cannot tell: it is the document
_columns = label_queue.c


@dataclass(frozen=True, slots=True)
class QueuedDocument:
    """A document that was handed out; `text` is title and body as it was crawled, as the classifier read them."""

    document_id: str
    published_at: datetime
    reason: Reason
    score: float
    detail: dict[str, Any]
    taken_until: datetime
    text: str
    lang: str
    source: str


@dataclass(frozen=True, slots=True)
class QueueProgress:
    """Where the queue stands, in documents.

    Attributes:
        waiting: answered by nobody yet, by reason.
        taken: of these, those in somebody's hands.
        partly: answered, but by fewer people than wanted.
        done, skipped: answered, and given up because people could not tell; since the queue began.
        done_last_day: answered in the last 24 hours.
    """

    waiting: dict[Reason, int]
    taken: int
    partly: int
    done: int
    skipped: int
    done_last_day: int


class DocumentAuthor(NamedTuple):
    """What of a document may stand on the opt-out list."""

    id: str
    source: str
    author: str | None
    published_at: datetime


DOCUMENT: Final = """
    CROSS JOIN LATERAL (
        SELECT d.* FROM document AS d WHERE d.published_at = q.published_at AND d.id = q.document_id LIMIT 1
    ) AS d
"""
_TAKE = text("""
    UPDATE label_queue AS q SET taken_by = asked.annotator, taken_until = :until
    FROM (SELECT CAST(:annotator AS text) AS annotator) AS asked
    WHERE q.document_id = (
        SELECT o.document_id FROM label_queue AS o
        WHERE o.done_at IS NULL AND (o.taken_until IS NULL OR o.taken_until <= :now OR o.taken_by = asked.annotator)
          AND NOT asked.annotator = ANY(o.answered_by || o.skipped_by) AND o.document_id <> ALL(:skip)
        ORDER BY (o.taken_by = asked.annotator AND o.taken_until > :now) IS NOT TRUE, o.place, o.document_id
        LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING q.document_id
""")
_READ = text(f"""
    SELECT q.document_id, q.published_at, q.reason, q.score, q.detail, q.taken_until, {READ_TEXT} AS text, d.lang,
           d.source, d.author
    FROM label_queue AS q {DOCUMENT} WHERE q.document_id = :id
""")  # noqa: S608  # constants


def next_for(
    connection: Connection, annotator: str, now: datetime, *, skip: Sequence[str] = ()
) -> QueuedDocument | None:
    """The document that this person is to label next, theirs for `LEASE`; None when there is nothing for them.

    What they have in hand already comes again, unless it is in `skip`. Of several people who ask at once each gets
    another document. One that is gone, or whose author or source is not kept any more, leaves the queue.
    """
    asked = {"annotator": annotator, "now": now, "until": now + LEASE, "skip": list(skip)}
    while (document_id := connection.scalar(_TAKE, asked)) is not None:
        row = connection.execute(_READ, {"id": document_id}).one_or_none()
        if row is not None and not opt_outs.refused(connection, [_asked(row)])[0]:
            *fields, _ = row
            return QueuedDocument(*fields)
        connection.execute(label_queue.delete().where(_columns.document_id == document_id))
    return None


def _asked(row: Any) -> DocumentAuthor:
    return DocumentAuthor(row.document_id, row.source, row.author, row.published_at)


def complete(connection: Connection, document_id: str, annotator: str, now: datetime | None = None) -> Reason | None:
    """This person has answered. Returns why they were asked; None if the document was not in the queue.

    Counts also when the lease had run out meanwhile. Answering twice counts once.
    """
    found = connection.execute(_COMPLETE, {"id": document_id, "annotator": annotator, "now": now}).one_or_none()
    return found.reason if found else None


_ASKED = """
    (SELECT CAST(:annotator AS text) AS annotator, coalesce(CAST(:now AS timestamptz), now()) AS now) AS asked
"""
_LET_GO = """
    taken_by = nullif(q.taken_by, asked.annotator),
    taken_until = CASE WHEN q.taken_by <> asked.annotator THEN q.taken_until END
"""
_COMPLETE = text(f"""
    UPDATE label_queue AS q SET
        answered_by = array_append(array_remove(q.answered_by, asked.annotator), asked.annotator),
        done_at = CASE WHEN cardinality(array_remove(q.answered_by, asked.annotator)) + 1 >= q.wanted
                  THEN coalesce(q.done_at, asked.now) ELSE q.done_at END,
        {_LET_GO}
    FROM {_ASKED} WHERE q.document_id = :id RETURNING q.reason
""")  # noqa: S608  # constants


def skip(connection: Connection, document_id: str, annotator: str, now: datetime | None = None) -> None:
    """This person cannot tell; others are asked, until `MOST_SKIPS` of them have passed it on."""
    connection.execute(_SKIP, {"id": document_id, "annotator": annotator, "now": now, "most": MOST_SKIPS})


_SKIP = text(f"""
    UPDATE label_queue AS q SET
        skipped_by = array_append(array_remove(q.skipped_by, asked.annotator), asked.annotator),
        done_at = CASE WHEN cardinality(array_remove(q.skipped_by, asked.annotator)) + 1 >= :most
                  THEN coalesce(q.done_at, asked.now) ELSE q.done_at END,
        {_LET_GO}
    FROM {_ASKED} WHERE q.document_id = :id
""")  # noqa: S608  # constants


def reopen(connection: Connection, document_id: str, annotator: str, now: datetime) -> None:
    """This person takes back their answer or skip: the document is theirs again, for `LEASE`."""
    connection.execute(
        update(label_queue)
        .where(_columns.document_id == document_id)
        .values(
            answered_by=func.array_remove(_columns.answered_by, annotator),
            skipped_by=func.array_remove(_columns.skipped_by, annotator),
            done_at=None,
            taken_by=annotator,
            taken_until=now + LEASE,
        )
    )


def progress(connection: Connection, now: datetime | None = None) -> QueueProgress:
    """Where the queue stands; reads the waiting rows and counts the rest."""
    waiting = connection.execute(_WAITING, {"now": now}).all()
    done = connection.execute(_DONE, {"now": now}).one()
    return QueueProgress(
        {row.reason: row.waiting for row in waiting if row.waiting},
        sum(row.taken for row in waiting),
        sum(row.partly for row in waiting),
        done.done,
        done.skipped,
        done.done_last_day,
    )


_WAITING = text("""
    SELECT reason, count(*) FILTER (WHERE answered_by = '{}')::int AS waiting,
           count(*) FILTER (WHERE answered_by <> '{}')::int AS partly,
           count(*) FILTER (
               WHERE answered_by = '{}' AND taken_until > coalesce(CAST(:now AS timestamptz), now())
           )::int AS taken
    FROM label_queue WHERE done_at IS NULL GROUP BY reason ORDER BY reason
""")
_DONE = text("""
    SELECT count(*) FILTER (WHERE answered_by <> '{}')::int AS done,
           count(*) FILTER (WHERE answered_by = '{}')::int AS skipped,
           count(*) FILTER (WHERE answered_by <> '{}'
               AND done_at > coalesce(CAST(:now AS timestamptz), now()) - interval '1 day')::int AS done_last_day
    FROM label_queue WHERE done_at IS NOT NULL
""")
