"""The opt-out list: authors, sources and documents that are not stored, asked in the transaction that would store.

So an entry counts for every worker from the moment it is committed, and what was erased cannot come back by a record
that is read again. Documents are listed by the hash of their id: the list does not say what it is about.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from sqlalchemy import Connection, delete, select, text
from sqlalchemy.dialects.postgresql import insert

from storage.tables import author_key, opt_out

Kind = Literal["author", "source", "document"]


class OptOut(NamedTuple):
    """One entry; `value` is a pseudonym, the name of a source, or the hash of an id."""

    kind: Kind
    value: str
    note: str
    added_at: datetime


class Asked(Protocol):
    """What of a document may stand on the list."""

    @property
    def id(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def author(self) -> str | None: ...
    @property
    def published_at(self) -> datetime: ...


def id_hash(document_id: str) -> str:
    """SHA-256, in hexadecimal digits."""
    return hashlib.sha256(document_id.encode("utf-8", "replace")).hexdigest()


# What a list has nothing of needs no asking, and most have nothing of most.
# The ACCESS SHARE lock on retention_state lasts to the end of the transaction: see `storage.retention`.
_STANDING = text("""
    SELECT EXISTS (SELECT FROM opt_out WHERE kind = 'document') AS has_documents,
           EXISTS (SELECT FROM opt_out WHERE kind = 'author') AS has_authors,
           EXISTS (SELECT FROM opt_out WHERE kind = 'source') AS has_sources,
           (SELECT documents_before FROM retention_state) AS before
""")
_LISTED = text("""
    SELECT asked.value FROM unnest(CAST(:values AS text[])) AS asked(value)
    CROSS JOIN LATERAL (SELECT FROM opt_out AS o WHERE o.kind = :kind AND o.value = asked.value LIMIT 1) AS listed
""")  # LATERAL with LIMIT is a look-up in the index for each value; a join may be planned as a scan of the list


def refused(connection: Connection, rows: Sequence[Asked]) -> list[bool]:
    """For each document whether it must not be stored: it, its author or its source is listed, or it has expired.

    To be asked after the keys of these ids were claimed (`storage.documents`): then whoever erases one of them has
    either committed, and is seen, or waits for this transaction.
    """
    standing = connection.execute(_STANDING).one()

    def found(kind: Kind, values: Iterable[str]) -> set[str]:
        return set(connection.scalars(_LISTED, {"kind": kind, "values": sorted(set(values))}))

    hashes = [id_hash(row.id) if standing.has_documents else "" for row in rows]
    documents = found("document", hashes) if standing.has_documents else set()
    authors = found("author", (row.author for row in rows if row.author)) if standing.has_authors else set()
    sources = found("source", (row.source for row in rows)) if standing.has_sources else set()
    return [
        hashed in documents
        or row.author in authors
        or row.source in sources
        or (standing.before is not None and row.published_at < standing.before)
        for hashed, row in zip(hashes, rows, strict=True)
    ]


def barred_ids(connection: Connection, ids: Iterable[str]) -> set[str]:
    """Those of these ids that are listed themselves: erased, or to be kept out."""
    hashes = {id_hash(one): one for one in ids}
    query = select(opt_out.c.value).where(opt_out.c.kind == "document", opt_out.c.value.in_(list(hashes)))
    return {hashes[value] for value in connection.scalars(query)} if hashes else set()


def add(connection: Connection, kind: Kind, values: Iterable[str], note: str = "") -> int:
    """List these; returns how many were not listed before."""
    rows = [{"kind": kind, "value": value, "note": note} for value in sorted(set(values))]
    if not rows:
        return 0
    return connection.execute(insert(opt_out).values(rows).on_conflict_do_nothing()).rowcount


def remove(connection: Connection, kind: Kind, values: Iterable[str]) -> int:
    """Take these off the list; returns how many were on it."""
    statement = delete(opt_out).where(opt_out.c.kind == kind, opt_out.c.value.in_(list(values)))
    return connection.execute(statement).rowcount


def listed(connection: Connection, kind: Kind | None = None) -> list[OptOut]:
    """The list, sources and authors first."""
    query = select(*[opt_out.c[name] for name in OptOut._fields]).order_by(opt_out.c.kind, opt_out.c.added_at)
    return [
        OptOut(*row) for row in connection.execute(query if kind is None else query.where(opt_out.c.kind == kind))
    ]


def use_key(connection: Connection, key_id: str) -> list[str]:
    """Note that authors are made pseudonyms with this key; returns the keys used before it, if it is new."""
    known = list(connection.scalars(select(author_key.c.key_id).order_by(author_key.c.first_used_at)))
    if key_id in known:
        return []
    connection.execute(insert(author_key).values(key_id=key_id).on_conflict_do_nothing())
    return known


def used_keys(connection: Connection) -> list[str]:
    """The ids of all keys that authors were made pseudonyms with."""
    return list(connection.scalars(select(author_key.c.key_id)))
