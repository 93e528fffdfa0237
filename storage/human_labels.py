"""People's answers: an append-only history in which a repeated answer leaves no second row."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Connection, func, select, text

from core.taxonomy import Head
from core.texts import normalised
from storage.tables import human_label

INSERT_ROWS: Final = 2000  # one statement's worth: keeps the arrays at a few MB
READ_ROWS: Final = 2000  # rows a server-side cursor hands over at a time


class NewLabel(NamedTuple):
    """One answer for one head, ready to be stored.

    Attributes:
        label_key: see `label_key`.
        document_id: the stored document the answer belongs to; None for a text by itself.
        text: what was labelled, as the classifier reads it.
    """

    label_key: bytes
    document_id: str | None
    text: str
    lang: str
    source: str
    head: Head
    answer: str
    annotator: str
    labelled_at: datetime


class LabelRow(NamedTuple):
    """One stored answer."""

    id: int
    label_key: bytes
    document_id: str | None
    text: str
    lang: str
    source: str
    head: Head
    answer: str
    annotator: str
    labelled_at: datetime
    recorded_at: datetime


class StoredText(NamedTuple):
    """What a label needs to know of a stored document; `text` is title and body, as the classifier reads them."""

    document_id: str
    text: str
    body: str
    lang: str
    source: str


class Statement(NamedTuple):
    """One answer as a file or a record states it, checked but not yet linked to a document.

    Attributes:
        document_id, text: at least one of them; `lang` and `source` are only used without a stored document.
        labelled_at: None when it was not stated.
        key: of an answer that was stored before and exported; None for a new one.
    """

    head: Head
    answer: str
    document_id: str | None
    text: str | None
    lang: str
    source: str
    annotator: str
    labelled_at: datetime | None
    key: bytes | None = None


def label_key(statement: Statement) -> bytes:
    """The identity of an answer, so that the same line imported twice is one row.

    Made of what was stated only. The text decides when id and text were both given, because whether the id is
    known may change from one import to the next.
    """
    if statement.key:
        return statement.key
    subject = ("text", normalised(statement.text)) if statement.text else ("document", statement.document_id or "")
    stated_at = statement.labelled_at.isoformat() if statement.labelled_at else None
    parts = (statement.head, statement.answer, subject, statement.annotator, stated_at)
    return hashlib.sha256(msgspec.json.encode(parts)).digest()


def linked(statement: Statement, document: StoredText | None, *, now: datetime) -> NewLabel:
    """The row of an answer.

    Args:
        document: the stored document it belongs to, if there is one; needed when the statement has no text.
        now: taken for `labelled_at` where that was not stated.
    """
    if document is None:
        text, lang, source = statement.text or "", statement.lang, statement.source
    else:
        # A person who saw only the body judged this document; one who saw an older version judged that text.
        is_same = statement.text in (None, "", document.text, document.body)
        text = document.text if is_same else statement.text or ""
        lang, source = document.lang, document.source
    return NewLabel(
        label_key(statement),
        document.document_id if document else None,
        text,
        lang,
        source,
        statement.head,
        statement.answer,
        statement.annotator,
        statement.labelled_at or now,
    )


_INSERT = text("""
    INSERT INTO human_label (label_key, document_id, text, lang, source, head, answer, annotator, labelled_at)
    SELECT label_key, document_id, text, lang, source, head, answer, annotator, labelled_at
    FROM unnest(CAST(:label_key AS bytea[]), CAST(:document_id AS text[]), CAST(:text AS text[]),
                CAST(:lang AS text[]), CAST(:source AS text[]), CAST(:head AS text[]), CAST(:answer AS text[]),
                CAST(:annotator AS text[]), CAST(:labelled_at AS timestamptz[])) WITH ORDINALITY
         AS l(label_key, document_id, text, lang, source, head, answer, annotator, labelled_at, nth)
    ORDER BY nth
    ON CONFLICT (label_key) DO NOTHING
""")


def add(connection: Connection, labels: Sequence[NewLabel]) -> int:
    """Store answers in the caller's transaction; those already there are left as they are.

    Returns:
        How many were new.
    """
    added = 0
    for start in range(0, len(labels), INSERT_ROWS):
        columns = zip(*labels[start : start + INSERT_ROWS], strict=True)
        values = dict(zip(NewLabel._fields, (list(column) for column in columns), strict=True))
        added += connection.execute(_INSERT, values).rowcount
    return added


# The same as `core.texts.whole_text`: what the classifier read.
READ_TEXT: Final = """
    CASE WHEN d.title IS NULL OR starts_with(d.text, d.title) THEN '' ELSE d.title || E'\\n' END || d.text
    || CASE WHEN d.quoted_text IS NULL OR strpos(d.text, d.quoted_text) > 0 THEN ''
       ELSE E'\\n' || d.quoted_text END
"""
_STORED_TEXT = f"SELECT d.id, {READ_TEXT}, d.text, d.lang, d.source FROM document d "  # noqa: S608  # constants
# Through document_key, so that only the partition that holds the id is read.
_BY_ID = text(
    _STORED_TEXT + "JOIN document_key k ON k.published_at = d.published_at AND k.id = d.id WHERE k.id = ANY(:ids)"
)
# No index serves this: one pass over the documents for a whole file, never one for each line.
_BY_TEXT = text(_STORED_TEXT + f"WHERE d.text = ANY(:texts) OR ({READ_TEXT}) = ANY(:texts)")


def documents_by_id(connection: Connection, ids: Iterable[str]) -> dict[str, StoredText]:
    """The stored documents among these ids."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    return {row.document_id: row for row in (StoredText(*row) for row in connection.execute(_BY_ID, {"ids": wanted}))}


def documents_by_text(connection: Connection, texts: Iterable[str]) -> dict[str, StoredText]:
    """The stored documents whose text (with or without its title) is one of these, by that text.

    Reads every document once; of several with the same text the first id is taken, so that a repeated import
    links to the same one.
    """
    wanted = sorted(set(texts))
    if not wanted:
        return {}
    found: dict[str, StoredText] = {}
    for row in sorted(StoredText(*row) for row in connection.execute(_BY_TEXT, {"texts": wanted})):
        found.setdefault(row.text, row)
        found.setdefault(row.body, row)
    return found


_ROW = [human_label.c[name] for name in LabelRow._fields]


def rows(connection: Connection) -> Iterator[LabelRow]:
    """Every answer in the order it was recorded, in constant memory."""
    statement = select(*_ROW).order_by(human_label.c.id)
    result = connection.execute(statement, execution_options={"yield_per": READ_ROWS})
    return (LabelRow(*row) for row in result)


def count_after(connection: Connection, label_id: int) -> int:
    """How many answers are newer than this one; 0 counts all."""
    return connection.scalar(select(func.count()).where(human_label.c.id > label_id)) or 0
