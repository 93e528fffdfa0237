"""Authors that an older version stored by name become pseudonyms, in place."""

from typing import Final

from sqlalchemy import Connection, Engine, Table, select, update

from core.pseudonyms import Pseudonyms, is_pseudonym
from core.records import Document, Metrics
from storage import opt_outs
from storage.documents import DocumentRow
from storage.tables import document, document_key, document_revision
from streams.intake import content_hash

BATCH: Final = 500


def pseudonymise_stored(engine: Engine, pseudonyms: Pseudonyms) -> int:
    """Returns how many rows were changed.

    The hash of the content changes along: made with the name, it would let anybody try names on it; made with the
    pseudonym, a repeat of the record is still known for one.
    """
    return sum(_table(engine, table, pseudonyms) for table in (document, document_revision))


def _table(engine: Engine, table: Table, pseudonyms: Pseudonyms) -> int:
    changed, after = 0, ("", -1)
    while True:
        with engine.begin() as connection:
            used = opt_outs.used_keys(connection)
            place = (table.c.id, table.c.revision)
            page = connection.execute(
                select(*place, table.c.author)
                .where(table.c.author.is_not(None), (table.c.id > after[0]) | _later(table, after))
                .order_by(*place)
                .limit(BATCH)
            ).all()
            named = sorted({key for key, _, author in page if not is_pseudonym(author, used)})
            changed += _rename(connection, table, named, pseudonyms, used) if named else 0
        if len(page) < BATCH:
            return changed
        after = (page[-1].id, page[-1].revision)


def _later(table: Table, after: tuple[str, int]):  # type: ignore[no-untyped-def]  # an SQL expression
    return (table.c.id == after[0]) & (table.c.revision > after[1])


def _rename(connection: Connection, table: Table, ids: list[str], pseudonyms: Pseudonyms, used: list[str]) -> int:
    key = document_key.c
    connection.execute(select(key.id).where(key.id.in_(ids)).order_by(key.id).with_for_update()).all()
    names = [table.c[name] for name in DocumentRow._fields]
    rows = [DocumentRow(*row) for row in connection.execute(select(*names).where(table.c.id.in_(ids)))]
    changed = 0
    for row in rows:
        if row.author is None or is_pseudonym(row.author, used):
            continue
        author = pseudonyms.of(row.author)
        connection.execute(
            update(table)
            .where(table.c.published_at == row.published_at, table.c.id == row.id, table.c.revision == row.revision)
            .values(author=author, content_hash=_hash(row._replace(author=author)))
        )
        changed += 1
    return changed


def _hash(row: DocumentRow) -> bytes:
    said = {name: getattr(row, name) for name in ("kind", "source", "url", "title", "text", "author", "lang")}
    metrics = Metrics(likes=row.likes, reposts=row.reposts, replies=row.replies)
    return content_hash(Document(**said, parent_id=row.parent_id, quoted_text=row.quoted_text, metrics=metrics))
