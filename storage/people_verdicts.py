"""What people say of stored documents, beside the model's verdict: kept with every answer, in its transaction.

The model's verdict and all counts stay as they are. What people said holds for as long as the document's text is the
one they read; a revision with another text has only the model's verdict again.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, delete, text

from core.settled_answers import Answer, Settled, settle
from core.taxonomy import HEADS, Head
from core.texts import text_hash
from storage import human_labels
from storage.human_labels import READ_TEXT, LabelRow, NewLabel, StoredText
from storage.queue_answers import settle_queue
from storage.tables import people_verdict

CHUNK: Final = 2000  # documents whose texts are held at a time


@dataclass(frozen=True, slots=True)
class PeopleAnswer:
    """What people say for one head: the class, who said so (names in one line), and when."""

    answer: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class PeopleVerdict:
    """What people say of a document; None where nobody answered, or where they have not settled it."""

    topic: PeopleAnswer | None = None
    sentiment: PeopleAnswer | None = None


def record(connection: Connection, labels: Sequence[NewLabel]) -> int:
    """Store answers and what they come to, in the caller's transaction; what the queue asked about leaves it.

    Returns:
        How many answers were new.
    """
    added = human_labels.add(connection, labels)
    settle_queue(connection, labels)
    renew(connection, (label.document_id for label in labels if label.document_id))
    return added


def renew(connection: Connection, document_ids: Iterable[str]) -> None:
    """Work out again what people say of these documents. Whoever does so at the same time for one of them waits."""
    wanted = sorted(set(document_ids))
    for start in range(0, len(wanted), CHUNK):
        ids = wanted[start : start + CHUNK]
        connection.execute(_CLAIM, {"ids": ids})
        stored = human_labels.documents_by_id(connection, ids)
        rows: dict[str, list[LabelRow]] = {}
        for row in human_labels.rows_of(connection, ids):
            rows.setdefault(row.document_id or "", []).append(row)
        made = [_verdict(document, rows.get(one, [])) for one, document in stored.items()]
        connection.execute(_WRITE, _columns([verdict for verdict in made if verdict]))
        kept = {verdict["document_id"] for verdict in made if verdict}
        gone = [one for one in ids if one not in kept]
        connection.execute(delete(people_verdict).where(people_verdict.c.document_id.in_(gone)))


def _verdict(document: StoredText, rows: Sequence[LabelRow]) -> dict[str, Any] | None:
    key = text_hash(document.text)
    of_this_text = [row for row in rows if text_hash(row.text) == key]
    settled = {head: _settled(of_this_text, head) for head in HEADS}
    if not any(settled.values()):
        return None
    made: dict[str, Any] = {
        "document_id": document.document_id,
        "text_hash": hashlib.sha256(document.text.encode()).digest(),
    }
    for head, found in settled.items():
        made |= {
            "topic_label" if head == "topic" else head: found.answer if found else None,
            f"{head}_by": ", ".join(found.by) if found else None,
            f"{head}_at": found.at if found else None,
        }
    return made


def _settled(rows: Iterable[LabelRow], head: Head) -> Settled | None:
    return settle(
        Answer(row.annotator, row.answer, row.labelled_at, row.id, row.is_adjudication)
        for row in rows
        if row.head == head
    )


def _columns(made: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [verdict[name] for verdict in made] for name in _NAMES}


_NAMES: Final = tuple(column.name for column in people_verdict.columns)
_TYPES: Final = {"text_hash": "bytea", "topic_at": "timestamptz", "sentiment_at": "timestamptz"}
# The rows are locked before the answers are read, so that of two who answer at once the second sees the first.
_CLAIM = text("""
    INSERT INTO people_verdict (document_id) SELECT id FROM unnest(CAST(:ids AS text[])) AS k(id) ORDER BY id
    ON CONFLICT (document_id) DO UPDATE SET document_id = EXCLUDED.document_id
""")
_SETS: Final = ", ".join(f"{name} = n.{name}" for name in _NAMES[1:])
_ARRAYS: Final = ", ".join(f"CAST(:{name} AS {_TYPES.get(name, 'text')}[])" for name in _NAMES)
_WRITE = text(
    f"UPDATE people_verdict AS v SET {_SETS} FROM unnest({_ARRAYS}) "  # noqa: S608  # our own names
    f"AS n({', '.join(_NAMES)}) WHERE v.document_id = n.document_id"
)


def of_documents(connection: Connection, ids: Sequence[str]) -> dict[str, PeopleVerdict]:
    """What people say of these documents as they read now, by id; those of whom nobody said anything are absent."""
    if not ids:
        return {}
    found: dict[str, PeopleVerdict] = {}
    for row in connection.execute(_READ, {"ids": list(ids)}):
        topic = PeopleAnswer(row.topic_label, row.topic_by, row.topic_at) if row.topic_label else None
        sentiment = PeopleAnswer(row.sentiment, row.sentiment_by, row.sentiment_at) if row.sentiment else None
        found[row.document_id] = PeopleVerdict(topic, sentiment)
    return found


_READ = text(f"""
    SELECT v.* FROM people_verdict AS v JOIN document_key AS k ON k.id = v.document_id
    JOIN document AS d ON d.published_at = k.published_at AND d.id = k.id
    WHERE v.document_id = ANY(:ids) AND v.text_hash = sha256(convert_to({READ_TEXT}, 'UTF8'))
""")  # noqa: S608  # a constant
