"""Erasing documents for good: rows, history, mentions, counts, labels, evidence and the outbox, in one transaction.

What comes after a document to hold words of it has to be added here.
"""

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select, text, update

from storage import copies, opt_outs, reports
from storage.documents import DocumentRow
from storage.human_labels import READ_TEXT
from storage.minute_counts import CountChanges
from storage.tables import document, document_key, evidence, notification

FEWEST_TEXT_CHARS: Final = 12
"""Shorter texts ("转发微博", "good") are many people's: a label or file that holds one is not about this document."""
QUOTED_CHARS: Final = 60  # of an excerpt in a message: as much as no message cuts


@dataclass
class Erased:
    """What went, and what is known of those who have read it.

    Attributes:
        ids, texts: by which copies in files are found.
        trained: versions of models that learned from a label of an erased text.
        sampled: versions that may have read an erased text among their replay rows.
    """

    documents: int = 0
    revisions: int = 0
    mentions: int = 0
    labels: int = 0
    evidence: int = 0
    notifications: int = 0
    ids: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    trained: set[str] = field(default_factory=set)
    sampled: set[str] = field(default_factory=set)

    def add(self, other: "Erased") -> None:
        """Sum up over batches."""
        for name in ("documents", "revisions", "mentions", "labels", "evidence", "notifications"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("ids", "texts", "trained", "sampled"):
            getattr(self, name).update(getattr(other, name))


# No index serves this: one pass over everything, for something that is done a few times a month.
_OF_AUTHOR = text("""
    SELECT id FROM document WHERE author = ANY(:pseudonyms) OR lower(ltrim(author, '@')) = :name
    UNION
    SELECT id FROM document_revision WHERE author = ANY(:pseudonyms) OR lower(ltrim(author, '@')) = :name
    ORDER BY id
""")


def of_author(connection: Connection, pseudonyms: Sequence[str], name: str) -> list[str]:
    """The documents of an author, by pseudonym and, in rows of older versions, by name; reads every document."""
    asked = {"pseudonyms": list(pseudonyms), "name": name.strip().lstrip("@").lower()}
    return list(connection.scalars(_OF_AUTHOR, asked))


def stored(connection: Connection, ids: Iterable[str]) -> set[str]:
    """Those of these documents that are stored."""
    return set(connection.scalars(select(document_key.c.id).where(document_key.c.id.in_(sorted(set(ids))))))


def erase(
    connection: Connection, ids: Iterable[str], note: str = "", copy_window_days: int = copies.WINDOW_DAYS
) -> Erased:
    """Erase these documents in the caller's transaction and bar their ids, known or not, from coming back."""
    wanted = sorted(set(ids))
    rows = _claim(connection, wanted)
    erased = Erased(documents=len(rows), ids=set(wanted))
    texts = sorted(_texts(connection, rows))
    erased.texts = set(texts)
    changes = CountChanges()
    for row in rows:
        changes.remove(row)
    asked = {"ids": wanted, "texts": texts}
    stored_at = min((row.stored_at for row in rows), default=None)
    first_label = connection.scalar(_FIRST_LABEL, asked)
    if rows or first_label is not None:
        erased.trained, erased.sampled = _readers(connection, first_label, stored_at)
    for name, statement in _DELETES.items():
        gone = connection.execute(statement, asked).rowcount
        if name in ("revisions", "mentions", "labels"):
            setattr(erased, name, gone)
    settlement = copies.settle(connection, [copies.Move(row, None) for row in rows], {}, copy_window_days)
    changes.move_copies(settlement.standings)
    changes.apply(connection)
    reports.forget_naming(connection, wanted)
    erased.evidence, erased.notifications = _out_of_alerts(connection, set(wanted))
    opt_outs.add(connection, "document", [opt_outs.id_hash(one) for one in wanted], note)
    return erased


def _claim(connection: Connection, ids: Sequence[str]) -> list[DocumentRow]:
    """Take the keys as a worker does that stores these documents, so that one of the two waits for the other."""
    connection.execute(_CLAIM, {"ids": list(ids)})
    key = document_key.c
    connection.execute(select(key.id).where(key.id.in_(ids)).order_by(key.id).with_for_update()).all()
    found = connection.execute(
        select(document)
        .join(document_key, (document.c.published_at == key.published_at) & (document.c.id == key.id))
        .where(key.id.in_(ids))
    )
    return [DocumentRow(*row) for row in found]


def _texts(connection: Connection, rows: Sequence[DocumentRow]) -> set[str]:
    """What all versions of these documents say, alone and as it was read with title and quoted words."""
    found = connection.execute(_VERSIONS, {"ids": [row.id for row in rows]}).all()
    return {said for version in found for said in version if len(said) >= FEWEST_TEXT_CHARS}


_VERSIONS = text(f"""
    SELECT d.text, {READ_TEXT} FROM document AS d JOIN document_key AS k ON k.published_at = d.published_at
        AND k.id = d.id WHERE k.id = ANY(:ids)
    UNION SELECT d.text, {READ_TEXT} FROM document_revision AS d WHERE d.id = ANY(:ids)
""")  # noqa: S608  # a constant
_CLAIM = text("""
    INSERT INTO document_key (id, published_at) SELECT id, now() FROM unnest(CAST(:ids AS text[])) AS k(id)
    ORDER BY id ON CONFLICT (id) DO NOTHING
""")
_OF_TEXT = "(document_id = ANY(:ids) OR document_id IS NULL AND text = ANY(:texts))"
_FIRST_LABEL = text(f"SELECT min(id) FROM human_label WHERE {_OF_TEXT}")  # noqa: S608  # a constant
_DELETES: Final = {
    "labels": text(f"DELETE FROM human_label WHERE {_OF_TEXT}"),  # noqa: S608
    "people_verdicts": text("DELETE FROM people_verdict WHERE document_id = ANY(:ids)"),
    "mentions": text(
        "DELETE FROM mention AS m USING document_key AS k "
        "WHERE k.id = ANY(:ids) AND m.published_at = k.published_at AND m.document_id = k.id"
    ),
    "documents": text(
        "DELETE FROM document AS d USING document_key AS k "
        "WHERE k.id = ANY(:ids) AND d.published_at = k.published_at AND d.id = k.id"
    ),
    "revisions": text("DELETE FROM document_revision WHERE id = ANY(:ids)"),
    "queue": text("DELETE FROM label_queue WHERE document_id = ANY(:ids)"),
    "shadow verdicts": text("DELETE FROM shadow_verdict WHERE document_id = ANY(:ids)"),
    "keys": text("DELETE FROM document_key WHERE id = ANY(:ids)"),
}

_READERS = text("""
    WITH RECURSIVE run AS (
        SELECT candidate, last_label_id >= :first_label AS trained, started_at >= :stored_at AS sampled
        FROM training_run WHERE candidate IS NOT NULL
    ), reader AS (
        SELECT candidate AS version, coalesce(trained, false) AS trained FROM run WHERE trained OR sampled
        UNION
        SELECT m.version, reader.trained FROM model_version AS m JOIN reader ON m.parent = reader.version
    )
    SELECT version, bool_or(trained) FROM reader GROUP BY version
""")


def _readers(connection: Connection, label: int | None, stored_at: datetime | None) -> tuple[set[str], set[str]]:
    """Models that learned from the label, and those that may have read the text; with all that descend from them."""
    found = connection.execute(_READERS, {"first_label": label, "stored_at": stored_at}).all()
    return {version for version, trained in found if trained}, {version for version, trained in found if not trained}


_EVIDENCE = text("""
    SELECT id, incident_id, body FROM evidence
    WHERE jsonb_path_query_array(body, '$.documents[*].id') ?| CAST(:ids AS text[])
       OR jsonb_path_query_array(body, '$.drivers.cluster[*].id') ?| CAST(:ids AS text[])
    ORDER BY id FOR UPDATE
""")


def _out_of_alerts(connection: Connection, ids: set[str]) -> tuple[int, int]:
    """Take the documents out of frozen evidence and of what was or is still to be told. Returns how many of each."""
    found = connection.execute(_EVIDENCE, {"ids": sorted(ids)}).all()
    quotes: set[str] = set()
    for row in found:
        quotes |= quoted(row.body, ids)
        connection.execute(
            update(evidence).where(evidence.c.id == row.id).values(body=without_documents(row.body, ids, set()))
        )
    told = connection.execute(
        select(notification.c.delivery_id, notification.c.payload)
        .where(notification.c.incident_id.in_({row.incident_id for row in found}))
        .order_by(notification.c.number)
        .with_for_update()
    ).all()
    changed = 0
    for delivery_id, payload in told:
        without = without_documents(payload, ids, quotes)
        if without != payload:
            changed += 1
            statement = update(notification).where(notification.c.delivery_id == delivery_id)
            connection.execute(statement.values(payload=without))
    return len(found), changed


def named(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The documents that evidence holds."""
    return [*body.get("documents", ()), *body.get("drivers", {}).get("cluster", ())]


def quoted(body: Mapping[str, Any], ids: set[str]) -> set[str]:
    """What evidence tells of the documents of these ids, as messages may quote it."""
    return {
        str(one[name])[:QUOTED_CHARS]
        for one in named(body)
        if one.get("id") in ids
        for name in ("text", "title", "name")
        if one.get(name)
    }


def without_documents(value: Any, ids: set[str], quotes: set[str]) -> Any:
    """A JSON value without the documents of these ids, and its texts without the lines that quote them."""
    if isinstance(value, Mapping):
        return {name: without_documents(inner, ids, quotes) for name, inner in value.items()}
    if isinstance(value, list):
        return [
            without_documents(inner, ids, quotes)
            for inner in value
            if not (isinstance(inner, Mapping) and inner.get("id") in ids)
        ]
    if isinstance(value, str) and quotes:
        lines = [line for line in value.split("\n") if not any(_bare(quote) in _bare(line) for quote in quotes)]
        return "\n".join(lines)
    return value


def _bare(words: str) -> str:
    """Letters and digits only: messages replace or escape what renderers would take for markup."""
    return "".join(character for character in html.unescape(words) if character.isalnum())
