"""Who carries the same text: the cluster of copies that a document belongs to, and its documents in order of time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

MOST_CARRIERS: Final = 100


@dataclass(frozen=True, slots=True)
class CopyGroup:
    """A cluster of copies.

    Attributes:
        documents: how many carry it, the earliest with them.
        first_id, first_at: of the earliest.
    """

    cluster: int
    documents: int
    first_id: str
    first_at: datetime


@dataclass(frozen=True, slots=True)
class Carrier:
    """One document of a cluster. A voice is nobody's copy: no earlier text is the same."""

    id: str
    published_at: datetime
    source: str
    kind: str
    sentiment: str
    is_voice: bool


_GROUPS = text("""
    SELECT d.id, c.id, c.documents, c.first_id, c.first_at
    FROM unnest(CAST(:times AS timestamptz[]), CAST(:ids AS text[])) AS k(published_at, id)
    JOIN document AS d ON d.published_at = k.published_at AND d.id = k.id
    JOIN copy_text AS t ON t.id = d.copy_text
    JOIN copy_cluster AS c ON c.id = t.cluster
    WHERE c.documents > 1
""")
# A text's first document is the earliest of it, so the earliest documents are among those of the earliest texts.
_CARRIERS = text("""
    WITH early AS MATERIALIZED (
        SELECT id, first_at, first_id, follows, day FROM copy_text WHERE cluster = :cluster AND documents > 0
        ORDER BY first_at, first_id LIMIT :most
    )
    SELECT d.id, d.published_at, d.source, d.kind, d.sentiment,
           NOT e.follows AND (e.first_at, e.first_id) = (d.published_at, d.id)
    FROM early AS e CROSS JOIN LATERAL (
        SELECT id, published_at, source, kind, sentiment FROM document
        WHERE copy_text = e.id AND published_at >= e.first_at AND published_at < e.day + interval '3 days'
        ORDER BY published_at, id LIMIT :most
    ) AS d
    ORDER BY d.published_at, d.id LIMIT :most
""")


def groups_of(connection: Connection, keys: Sequence[tuple[datetime, str]]) -> dict[str, CopyGroup]:
    """By id, the cluster of each of these documents `(published_at, id)`; those that stand alone are absent."""
    if not keys:
        return {}
    asked = {"times": [at for at, _ in keys], "ids": [one for _, one in keys]}
    return {row[0]: CopyGroup(*row[1:]) for row in connection.execute(_GROUPS, asked)}


def carriers(connection: Connection, cluster: int, most: int = MOST_CARRIERS) -> list[Carrier]:
    """The earliest documents of a cluster, the first of them first."""
    return [Carrier(*row) for row in connection.execute(_CARRIERS, {"cluster": cluster, "most": most})]
