"""Texts and the keys under which their copies are found: rows of `copy_text` and `copy_band`.

A node is what the documents of one day have in common whose texts are equal when folded; however many documents that
are, it is one row with one set of keys. Whoever adds a node holds the locks of its keys until the transaction ends,
so of two workers that store copies at the same moment the second sees what the first has stored.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import NamedTuple

from sqlalchemy import Connection, TextClause, text

from core.copies import STREAM_BANDS, Signature, bands


class Member(NamedTuple):
    """A document of a cluster; of two the lesser was published first."""

    published_at: datetime
    id: str


@dataclass(frozen=True)
class Node:
    """A row of `copy_text`.

    Attributes:
        cluster: None where its only document, if any, has no copies.
        documents: how many have this text on this day; 0 after the last was revised.
        first: the earliest of them.
        follows: whether an earlier document of another node is its copy; else `first` is a voice.
    """

    id: int
    day: date
    signature: Signature
    cluster: int | None = None
    documents: int = 0
    first: Member | None = None
    follows: bool = False

    @property
    def voice(self) -> Member | None:
        """The document that is nobody's copy, if it has one."""
        return None if self.follows else self.first


def day_of(at: datetime) -> date:
    """The day by which times of publication are told apart, UTC."""
    return at.astimezone(UTC).date()


def node_of(signature: Signature, published_at: datetime) -> Node:
    """The node of a document with this signature; whether it is stored is another matter."""
    day = day_of(published_at)
    key = signature.fingerprint.to_bytes(8, signed=True) + day.toordinal().to_bytes(4)
    number = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), signed=True)
    return Node(number, day, signature)


_ADD = text("""
    INSERT INTO copy_text (id, day, sketch, shingles, threshold, figures)
    SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:days AS date[]), CAST(:sketches AS bytea[]),
                         CAST(:shingles AS int[]), CAST(:thresholds AS float8[]), CAST(:figures AS bytea[]))
             AS n(id, day, sketch, shingles, threshold, figures)
    ORDER BY id ON CONFLICT (id) DO NOTHING RETURNING id
""")


def add_nodes(connection: Connection, nodes: Iterable[Node]) -> set[int]:
    """Insert those that are not there, in the order of their ids; returns the new ones."""
    rows = list(nodes)
    if not rows:
        return set()
    parameters = {
        "ids": [node.id for node in rows],
        "days": [node.day for node in rows],
        "sketches": [node.signature.sketch for node in rows],
        "shingles": [node.signature.shingles for node in rows],
        "thresholds": [node.signature.threshold for node in rows],
        "figures": [node.signature.figures for node in rows],
    }
    return set(connection.execute(_ADD, parameters).scalars())


_READ = (
    "SELECT id, day, sketch, shingles, threshold, figures, cluster, documents, first_at, first_id, follows "
    "FROM copy_text "
)
_BY_ID = text(_READ + "WHERE id = ANY(:ids)")
_BY_CLUSTER = text(_READ + "WHERE cluster = ANY(:ids) AND documents > 0 ORDER BY first_at, first_id")


def read_nodes(connection: Connection, ids: Collection[int]) -> dict[int, Node]:
    """What is stored of these nodes, as of now."""
    return _read(connection, _BY_ID, ids)


def read_clusters(connection: Connection, clusters: Collection[int]) -> dict[int, Node]:
    """Every node of these clusters, the one with the earliest document first."""
    return _read(connection, _BY_CLUSTER, clusters)


def _read(connection: Connection, query: TextClause, ids: Collection[int]) -> dict[int, Node]:
    if not ids:
        return {}
    found = {}
    for row in connection.execute(query, {"ids": list(ids)}):
        signature = Signature(0, bytes(row.sketch), row.shingles, row.threshold, bytes(row.figures))
        first = Member(row.first_at, row.first_id) if row.first_id is not None else None
        found[row.id] = Node(row.id, row.day, signature, row.cluster, row.documents, first, row.follows)
    return found


_CLAIM = text("""
    INSERT INTO copy_band (key, slot, node, day)
    SELECT key, 0, node, day FROM unnest(CAST(:keys AS bigint[]), CAST(:nodes AS bigint[]), CAST(:days AS date[]))
                                  AS b(key, node, day)
    ORDER BY key, node ON CONFLICT (key, slot) DO NOTHING RETURNING key, node
""")
_LOCK = text(
    "SELECT key, node FROM copy_band WHERE slot = 0 AND key = ANY(CAST(:keys AS bigint[])) "
    "ORDER BY key FOR NO KEY UPDATE"
)
_JOIN = text("""
    INSERT INTO copy_band (key, slot, node, day)
    SELECT key, node, node, day FROM unnest(CAST(:keys AS bigint[]), CAST(:nodes AS bigint[]), CAST(:days AS date[]))
                                     AS b(key, node, day)
    ORDER BY key, node ON CONFLICT (key, slot) DO NOTHING
""")


def claim_keys(connection: Connection, nodes: Sequence[Node]) -> list[int] | None:
    """Enter nodes under their keys, and hold these.

    The first node of a key has slot 0, and its row is the key's lock. New keys are inserted before known ones are
    locked, both in sorted order, and nobody inserts who holds a lock: so no circle of waiting can close.

    Returns:
        The keys under which there are other nodes too; None when a key vanished meanwhile, and all must be begun
        again.
    """
    pairs = {(key, node.id): node.day for node in nodes for key in bands(node.signature.sketch, STREAM_BANDS)}
    claimed = {(row.key, row.node) for row in connection.execute(_CLAIM, _columns(pairs))}
    taken = {pair: day for pair, day in pairs.items() if pair not in claimed}
    if not taken:
        return []
    keys = sorted({key for key, _ in taken})
    owners = {row.key: row.node for row in connection.execute(_LOCK, {"keys": _array(keys)})}
    if len(owners) < len(keys):
        return None
    joining = {pair: day for pair, day in taken.items() if owners[pair[0]] != pair[1]}
    if joining:
        connection.execute(_JOIN, _columns(joining))
    return keys


class Candidate(NamedTuple):
    """A node that shares a key with one of the batch, its cluster, and how often that had been read anew."""

    id: int
    cluster: int | None
    parted: int
    first: Member
    follows: bool


_SHARING = text("""
    SELECT t.id, t.cluster, coalesce(c.parted, 0), t.first_at, t.first_id, t.follows
    FROM copy_text AS t LEFT JOIN copy_cluster AS c ON c.id = t.cluster
    WHERE t.id IN (SELECT node FROM copy_band WHERE key = ANY(CAST(:keys AS bigint[]))
                   AND day BETWEEN :first AND :last)
      AND t.documents > 0
    ORDER BY t.first_at, t.first_id, t.id
""")


def candidates(
    connection: Connection, keys: Sequence[int], nodes: Sequence[Node], window_days: int
) -> list[Candidate]:
    """Every node under these keys with a document near enough in time to one of `nodes`, the earliest first."""
    days = [node.day for node in nodes]
    span = {"first": _shifted(min(days), -window_days), "last": _shifted(max(days), window_days)}
    return [
        Candidate(node, cluster, parted, Member(first_at, first_id), follows)
        for node, cluster, parted, first_at, first_id, follows in connection.execute(
            _SHARING, {"keys": _array(keys), **span}
        )
    ]


def _columns(pairs: Mapping[tuple[int, int], date]) -> dict[str, str]:
    return {
        "keys": _array(key for key, _ in pairs),
        "nodes": _array(node for _, node in pairs),
        "days": _array(pairs.values()),
    }


def _array(values: Iterable[int | date]) -> str:
    """As PostgreSQL writes an array; for thousands of numbers the driver's own way takes longer than the query."""
    return "{" + ",".join(map(str, values)) + "}"


def _shifted(day: date, days: int) -> date:
    return date.fromordinal(min(max(day.toordinal() + days, 1), date.max.toordinal()))


_WRITE = text("""
    UPDATE copy_text AS t SET cluster = n.cluster, documents = n.documents, first_at = n.first_at,
                              first_id = n.first_id, follows = n.follows
    FROM unnest(CAST(:ids AS bigint[]), CAST(:clusters AS bigint[]), CAST(:documents AS int[]),
                CAST(:first_at AS timestamptz[]), CAST(:first_id AS text[]), CAST(:follows AS boolean[]))
         AS n(id, cluster, documents, first_at, first_id, follows)
    WHERE t.id = n.id
""")


def write_nodes(connection: Connection, nodes: Sequence[Node]) -> None:
    """Set cluster, number, first document and `follows` of nodes that the caller has locked."""
    if not nodes:
        return
    parameters = {
        "ids": [node.id for node in nodes],
        "clusters": [node.cluster for node in nodes],
        "documents": [node.documents for node in nodes],
        "first_at": [node.first and node.first.published_at for node in nodes],
        "first_id": [node.first and node.first.id for node in nodes],
        "follows": [node.follows for node in nodes],
    }
    connection.execute(_WRITE, parameters)


_FIRSTS = text("""
    SELECT n.id AS node, f.published_at, f.id
    FROM unnest(CAST(:ids AS bigint[]), CAST(:days AS date[])) AS n(id, day)
    CROSS JOIN LATERAL (
        SELECT published_at, id FROM document
        WHERE copy_text = n.id AND published_at >= CAST(n.day AS timestamp) AT TIME ZONE 'UTC'
          AND published_at < CAST(n.day + 1 AS timestamp) AT TIME ZONE 'UTC'
        ORDER BY published_at, id LIMIT 1
    ) AS f
""")


def with_firsts(connection: Connection, nodes: Sequence[Node]) -> list[Node]:
    """The nodes, each with the earliest document that `document` has of it."""
    parameters = {"ids": [node.id for node in nodes], "days": [node.day for node in nodes]}
    firsts = {row.node: Member(row.published_at, row.id) for row in connection.execute(_FIRSTS, parameters)}
    return [replace(node, first=firsts.get(node.id)) for node in nodes]


_FORGET = text("""
    WITH gone AS (
        DELETE FROM copy_band AS b
        USING unnest(CAST(:keys AS bigint[]), CAST(:nodes AS bigint[])) AS g(key, node)
        WHERE b.key = g.key AND (b.slot = g.node OR (b.slot = 0 AND b.node = g.node))
        RETURNING b.key, b.slot
    )
    SELECT key FROM gone WHERE slot = 0
""")
_HEIRS = text("""
    UPDATE copy_band AS b SET slot = 0
    FROM (SELECT key, min(slot) AS slot FROM copy_band WHERE key = ANY(CAST(:keys AS bigint[]))
          GROUP BY key HAVING bool_and(slot <> 0)) AS h
    WHERE b.key = h.key AND b.slot = h.slot
""")
_DROP = text("DELETE FROM copy_text WHERE id = ANY(:ids)")


def hold_keys(connection: Connection, nodes: Sequence[Node]) -> None:
    """Hold the keys of nodes that are there."""
    keys = {key for node in nodes for key in bands(node.signature.sketch, STREAM_BANDS)}
    connection.execute(_LOCK, {"keys": _array(sorted(keys))}).all()


def forget_nodes(connection: Connection, nodes: Sequence[Node]) -> None:
    """Delete nodes whose keys the caller holds; a key whose first node goes gets another one for its lock."""
    pairs = {(key, node.id): node.day for node in nodes for key in bands(node.signature.sketch, STREAM_BANDS)}
    columns = _columns(pairs)
    orphans = list(connection.execute(_FORGET, {"keys": columns["keys"], "nodes": columns["nodes"]}).scalars())
    connection.execute(_HEIRS, {"keys": _array(orphans)})
    connection.execute(_DROP, {"ids": [node.id for node in nodes]})
