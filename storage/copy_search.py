"""Whose copies the nodes of a batch are, without holding each against all that share a key with it.

A story in fifty thousand wordings shares its keys with every one of them. But a text that is a copy of one member of
a cluster belongs to the cluster, so the first few members are tried, and the others only where all of these miss.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from core.copies import STREAM_BANDS, Signatures, bands
from storage.copy_index import Candidate, Node, read_nodes

TRIED_FIRST = 64


@dataclass
class Found:
    """Copies that were found.

    Attributes:
        edges: pairs of a node that came and one of which it is a copy; of each cluster one is enough.
        partners: what is stored of the others.
    """

    edges: list[tuple[int, int]] = field(default_factory=list)
    partners: dict[int, Node] = field(default_factory=dict)


def find_copies(
    connection: Connection, fresh: Sequence[Node], known: Collection[Candidate], window_days: int
) -> Found:
    """Hold the nodes that came against each other and against those that share a key with one of them."""
    found = Found()
    by_cluster: defaultdict[int | None, list[int]] = defaultdict(list)
    new = {node.id for node in fresh}
    for one in known:
        if one.id not in new:
            by_cluster[one.cluster].append(one.id)
    tried = by_cluster.pop(None, []) + [one for ids in by_cluster.values() for one in ids[:TRIED_FIRST]]
    _compare(found, fresh, [*fresh, *read_nodes(connection, tried).values()], window_days)
    for cluster, ids in by_cluster.items():
        if len(ids) > TRIED_FIRST:
            hit = {one for one, other in found.edges if other not in new and found.partners[other].cluster == cluster}
            missed = [node for node in fresh if node.id not in hit]
            if missed:
                rest = read_nodes(connection, ids[TRIED_FIRST:])
                _compare(found, missed, list(rest.values()), window_days)
    return found


def _compare(found: Found, fresh: Sequence[Node], others: Sequence[Node], window_days: int) -> None:
    """Note of whom each node is a copy, one of each cluster."""
    places: defaultdict[int, list[int]] = defaultdict(list)
    for n, node in enumerate(fresh):
        for key in bands(node.signature.sketch, STREAM_BANDS):
            places[key].append(n)
    sharing: defaultdict[int, set[int]] = defaultdict(set)
    for m, other in enumerate(others):
        for key in bands(other.signature.sketch, STREAM_BANDS):
            for n in places.get(key, ()):
                if fresh[n].id != other.id and abs((fresh[n].day - other.day).days) <= window_days:
                    sharing[n].add(m)
    if not sharing:
        return
    columns = Signatures([other.signature for other in others])
    new = {node.id for node in fresh}
    for n, among in sharing.items():
        hit: set[int] = set()
        for m in columns.copies_of(fresh[n].signature, STREAM_BANDS, sorted(among)):
            other = others[m]
            if other.cluster is None or other.cluster not in hit:
                found.edges.append((fresh[n].id, other.id))
                if other.id not in new:
                    found.partners[other.id] = other
                    if other.cluster is not None:
                        hit.add(other.cluster)
