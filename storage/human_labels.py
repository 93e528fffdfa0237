"""People's answers: an append-only history in which a repeated answer leaves no second row."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

import msgspec
from sqlalchemy import Connection, Select, func, select, text

from core.scrubbing import scrub
from core.taxonomy import Head
from core.texts import normalised
from storage.tables import human_label

INSERT_ROWS: Final = 2000  # one statement's worth: keeps the arrays at a few MB
READ_ROWS: Final = 2000  # rows a server-side cursor hands over at a time

Intake = Literal["console", "command", "file", "label_studio", "topic", "unknown"]


class NewLabel(NamedTuple):
    """One answer for one head, ready to be stored.

    Attributes:
        label_key: see `label_key`.
        document_id: the stored document the answer belongs to; None for a text by itself.
        text: what was labelled, as the classifier reads it.
        guideline: version of the guideline that the annotator went by; empty if unknown.
        seconds: how long the annotator took.
        is_adjudication: see `core.settled_answers`.
        retracts: id of an answer that this row takes back; None for an answer.
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
    guideline: str = ""
    seconds: float | None = None
    intake: Intake = "unknown"
    is_adjudication: bool = False
    retracts: int | None = None


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
    guideline: str = ""
    seconds: float | None = None
    intake: Intake = "unknown"
    is_adjudication: bool = False
    retracts: int | None = None


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
    guideline: str = ""
    seconds: float | None = None
    intake: Intake = "unknown"
    is_adjudication: bool = False


def label_key(statement: Statement) -> bytes:
    """The identity of an answer, so that the same line imported twice is one row.

    Made of what was stated only. The text decides when id and text were both given, because whether the id is
    known may change from one import to the next.
    """
    if statement.key:
        return statement.key
    subject = ("text", normalised(statement.text)) if statement.text else ("document", statement.document_id or "")
    stated_at = statement.labelled_at.isoformat() if statement.labelled_at else None
    parts: tuple[object, ...] = (statement.head, statement.answer, subject, statement.annotator, stated_at)
    if statement.is_adjudication:  # only then, so that the keys of answers from before stay as they are
        parts = (*parts, "adjudication")
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
        # Who saw only the body, or the text without telephone numbers and the like, judged this document; who saw an
        # older version judged that text.
        is_same = statement.text in (None, "", document.text, document.body) or statement.text in (
            scrub(document.text),
            scrub(document.body),
        )
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
        statement.guideline,
        statement.seconds,
        statement.intake,
        statement.is_adjudication,
    )


_TYPES: Final = {
    "label_key": "bytea",
    "labelled_at": "timestamptz",
    "seconds": "real",
    "is_adjudication": "boolean",
    "retracts": "bigint",
}
_COLUMNS: Final = ", ".join(NewLabel._fields)
_ARRAYS: Final = ", ".join(f"CAST(:{name} AS {_TYPES.get(name, 'text')}[])" for name in NewLabel._fields)
_INSERT = text(f"""
    INSERT INTO human_label ({_COLUMNS})
    SELECT {_COLUMNS} FROM unnest({_ARRAYS}) WITH ORDINALITY AS l({_COLUMNS}, nth)
    ORDER BY nth
    ON CONFLICT DO NOTHING
""")  # noqa: S608  # our own names


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


def _standing() -> Select[Any]:
    """Answers in the order they were recorded, without those that were taken back."""
    later = human_label.alias("later")
    is_retracted = select(later.c.id).where(later.c.retracts == human_label.c.id).exists()
    return select(*_ROW).where(human_label.c.retracts.is_(None), ~is_retracted).order_by(human_label.c.id)


def rows(connection: Connection) -> Iterator[LabelRow]:
    """Every answer that stands, in the order it was recorded, in constant memory."""
    result = connection.execute(_standing(), execution_options={"yield_per": READ_ROWS})
    return (LabelRow(*row) for row in result)


def rows_of(connection: Connection, document_ids: Sequence[str]) -> list[LabelRow]:
    """The answers that stand about these documents."""
    found = connection.execute(_standing().where(human_label.c.document_id.in_(document_ids)))
    return [LabelRow(*row) for row in found]


def rows_said_at(connection: Connection, annotators: Iterable[str], times: Iterable[datetime]) -> list[LabelRow]:
    """The answers that stand of these people, of these moments; by the index on annotators."""
    wanted = _standing().where(
        human_label.c.annotator.in_(sorted(set(annotators))), human_label.c.labelled_at.in_(sorted(set(times)))
    )
    return [LabelRow(*row) for row in connection.execute(wanted)]


def newest_of(connection: Connection, annotator: str, intake: Intake) -> list[LabelRow]:
    """What this person answered last in this way and has not taken back: the answers of one moment, or none."""
    mine = _standing().where(human_label.c.annotator == annotator, human_label.c.intake == intake)
    last = connection.execute(mine.order_by(None).order_by(human_label.c.id.desc()).limit(1)).first()
    if last is None:
        return []
    found = connection.execute(mine.where(human_label.c.labelled_at == last.labelled_at))
    return [row for row in (LabelRow(*row) for row in found) if row.document_id == last.document_id]


def retract(connection: Connection, answers: Sequence[LabelRow], *, by: str, now: datetime, intake: Intake) -> int:
    """Take answers back by a row of their own each; the answers stay in the history. How many were not so already."""
    return add(
        connection,
        [
            NewLabel(
                hashlib.sha256(b"retracts " + one.label_key).digest(),
                one.document_id,
                one.text,
                one.lang,
                one.source,
                one.head,
                one.answer,
                by,
                now,
                intake=intake,
                retracts=one.id,
            )
            for one in answers
        ],
    )


def extent(connection: Connection) -> tuple[int, int]:
    """The newest row's id and how many rows there are: the same for as long as nobody says anything."""
    newest, count = connection.execute(select(func.coalesce(func.max(human_label.c.id), 0), func.count())).one()
    return int(newest), int(count)


def count_after(connection: Connection, label_id: int) -> int:
    """How many answers are newer than this one, without what takes answers back; 0 counts all."""
    newer = select(func.count()).where(human_label.c.id > label_id, human_label.c.retracts.is_(None))
    return connection.scalar(newer) or 0
