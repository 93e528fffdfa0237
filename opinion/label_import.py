"""A file of labels into `human_label`: checked, linked to stored documents, stored in one transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine

from core.texts import text_hash
from opinion.label_files import LabelFile, Rejected, read
from storage import human_labels, opt_outs, people_verdicts
from storage.human_labels import NewLabel, StoredText
from storage.queue_answers import settle_queue

CHUNK: Final = 2000  # labels between two steps of the progress bar

OnStored = Callable[[int, int], None]
"""Called with the labels stored so far and all labels of the file."""


@dataclass(frozen=True)
class ImportOptions:
    """How a file is imported.

    Attributes:
        annotator: for lines that name none.
        is_strict: refuse the whole file when one line is bad.
        zone: for times without an offset.
        guideline: version of the guideline, for lines that name none.
    """

    annotator: str
    is_strict: bool
    zone: tzinfo
    guideline: str = ""


@dataclass(frozen=True)
class Imported:
    """What became of a file.

    Attributes:
        labels: answers in good lines; `new` of them were not known before, `linked` belong to a stored document.
        unlabelled: lines that answer nothing.
        is_refused: strict, and a line was bad; nothing was stored.
    """

    path: Path
    lines: int
    labels: int
    new: int
    linked: int
    unlabelled: int
    is_refused: bool
    rejects: list[Rejected]


def import_file(
    engine: Engine, path: Path, options: ImportOptions, *, now: datetime, on_stored: OnStored | None = None
) -> Imported:
    """Import one file; either all its good lines are stored or, after any failure, none.

    Raises:
        NotFoundError, UsageError: see `label_files.read`.
    """
    found = read(path, annotator=options.annotator, zone=options.zone, now=now, guideline=options.guideline)
    new = 0
    with engine.begin() as connection:
        labels = _link(connection, found, now)
        is_refused = options.is_strict and bool(found.rejects)
        for start in range(0, 0 if is_refused else len(labels), CHUNK):
            new += human_labels.add(connection, labels[start : start + CHUNK])
            if on_stored:
                on_stored(min(start + CHUNK, len(labels)), len(labels))
        if new:
            settle_queue(connection, labels)
            people_verdicts.renew(connection, (label.document_id for label in labels if label.document_id))
    return Imported(
        path=path,
        lines=found.lines,
        labels=len(labels),
        new=new,
        linked=sum(label.document_id is not None for label in labels),
        unlabelled=found.unlabelled,
        is_refused=is_refused,
        rejects=sorted(found.rejects, key=lambda reject: reject.line),
    )


def _link(connection: Connection, found: LabelFile, now: datetime) -> list[NewLabel]:
    """Find each line's document by id, else by text; lines about unknown documents are rejected."""
    said = [one for statements in found.statements.values() for one in statements]
    by_id = human_labels.documents_by_id(connection, [one.document_id for one in said if one.document_id])
    barred = opt_outs.barred_ids(connection, {one.document_id for one in said if one.document_id})
    texts = [one.text for one in said if one.text and one.document_id not in by_id]
    by_text = human_labels.documents_by_text(connection, texts)
    labels_of_line: dict[int, list[NewLabel]] = {}
    for number, statements in sorted(found.statements.items()):
        if statements[0].document_id in barred:
            found.reject(number, "erased_document", f"id: {statements[0].document_id!r} was erased or opted out")
            continue
        document = _document(statements[0].document_id, statements[0].text, by_id, by_text)
        if document is None and statements[0].text is None:
            detail = f"id: there is no stored document {statements[0].document_id!r}, and the line has no text"
            found.reject(number, "unknown_document", detail)
        else:
            labels_of_line[number] = [human_labels.linked(one, document, now=now) for one in statements]
    _reject_contradictions(connection, found, labels_of_line)
    return [label for labels in labels_of_line.values() for label in labels]


def _reject_contradictions(
    connection: Connection, found: LabelFile, labels_of_line: dict[int, list[NewLabel]]
) -> None:
    """Take out lines in which somebody answers at one moment otherwise than they are known to have answered then."""
    stated = [one for statements in found.statements.values() for one in statements if one.labelled_at]
    said = {
        (row.annotator, row.labelled_at, row.head, row.is_adjudication, text_hash(row.text)): row.answer
        for row in human_labels.rows_said_at(
            connection, (one.annotator for one in stated), (one.labelled_at for one in stated if one.labelled_at)
        )
    }
    for number, labels in list(labels_of_line.items()) if said else ():
        for label in labels:
            question = (
                label.annotator,
                label.labelled_at,
                label.head,
                label.is_adjudication,
                text_hash(label.text),
            )
            known = said.get(question, label.answer)
            if known != label.answer:
                detail = f"{label.head}: {label.annotator} answered {known} at {label.labelled_at.isoformat()}"
                found.reject(number, "conflicting_labels", f"{detail}, which is stored")
                del labels_of_line[number]
                break


def _document(
    document_id: str | None, text: str | None, by_id: dict[str, StoredText], by_text: dict[str, StoredText]
) -> StoredText | None:
    return by_id.get(document_id or "") or by_text.get(text or "")
