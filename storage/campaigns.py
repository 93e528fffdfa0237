"""What stands behind a surge of copies: how many voices there were, and which clusters they carried."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, select

from storage.bucket_counts import COLUMNS, Where, key_totals
from storage.tables import copy_cluster, copy_text, document, mention


@dataclass(frozen=True, slots=True)
class CarriedText:
    """A copy cluster in a window.

    Attributes:
        carriers: its negative documents in the window; `documents` are all that it has.
        text: of its earliest one in the window, as it was crawled.
    """

    cluster: int
    carriers: int
    documents: int
    first_id: str
    text: str


def negative_voices(connection: Connection, scope: Where, start: datetime, end: datetime) -> tuple[int, int]:
    """(negative documents, copies among them) in [start, end); with a watchlist, negative toward it."""
    where: Where = {name: values for name, values in scope.items() if name in COLUMNS}
    found = key_totals(connection, (), start, end, where=where)
    return (found[0].negative, found[0].negative_copies) if found else (0, 0)


def carried_texts(
    connection: Connection, scope: Where, start: datetime, end: datetime, *, limit: int
) -> list[CarriedText]:
    """The clusters with the most negative documents published in [start, end), the largest first."""
    row = document.c
    rows = (
        select(copy_text.c.cluster, row.id, row.published_at, row.text)
        .join_from(document, copy_text, copy_text.c.id == row.copy_text)
        .where(row.published_at >= start, row.published_at < end, copy_text.c.cluster.is_not(None))
        .where(*_within(scope))
    )
    if "watchlist" in scope:
        is_of = (mention.c.published_at == row.published_at) & (mention.c.document_id == row.id)
        rows = rows.join(mention, is_of).where(
            mention.c.published_at >= start,
            mention.c.published_at < end,
            mention.c.watchlist.in_(_listed(scope["watchlist"])),
            mention.c.sentiment == "negative",
        )
    else:
        rows = rows.where(row.sentiment == "negative")
    inner = rows.subquery()
    nth = func.row_number().over(partition_by=inner.c.cluster, order_by=(inner.c.published_at, inner.c.id))
    carriers = func.count().over(partition_by=inner.c.cluster)
    ranked = select(inner, nth.label("nth"), carriers.label("carriers")).subquery()
    found = connection.execute(
        select(ranked.c.cluster, ranked.c.carriers, copy_cluster.c.documents, copy_cluster.c.first_id, ranked.c.text)
        .join_from(ranked, copy_cluster, copy_cluster.c.id == ranked.c.cluster)
        .where(ranked.c.nth == 1)
        .order_by(ranked.c.carriers.desc(), ranked.c.cluster)
        .limit(limit)
    )
    return [CarriedText(*one) for one in found]


def _within(scope: Where) -> list[ColumnElement[bool]]:
    of_document = {name: values for name, values in scope.items() if name in COLUMNS and name != "watchlist"}
    return [document.c[COLUMNS[name]].in_(_listed(values)) for name, values in of_document.items()]


def _listed(values: str | Sequence[str]) -> Sequence[str]:
    return [values] if isinstance(values, str) else values
