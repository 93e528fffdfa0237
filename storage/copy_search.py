"""Whose copies the nodes of a batch are, without holding each against all that share a key with it.

A story in fifty thousand wordings shares its keys with every one of them. But a text that is a copy of one member of
a cluster belongs to the cluster, so the first few members are tried, and the others only where all of these miss.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from core.copies import STREAM_BANDS, Signatures
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
    alone = read_nodes(connection, by_cluster.pop(None, []))
    _compare(found, fresh, [*fresh, *alone.values()], window_days)
    for ids in by_cluster.values():
        tried = read_nodes(connection, ids[:TRIED_FIRST])
        missed = _compare(found, fresh, list(tried.values()), window_days, one_is_enough=True)
        if missed and len(ids) > TRIED_FIRST:
            rest = read_nodes(connection, ids[TRIED_FIRST:])
            _compare(found, missed, list(rest.values()), window_days, one_is_enough=True)
    return found


def _compare(
    found: Found, fresh: Sequence[Node], others: Sequence[Node], window_days: int, *, one_is_enough: bool = False
) -> list[Node]:
    """Note the copies of each node; returns those that have none among the others."""
    if not others:
        return []
    columns = Signatures([other.signature for other in others])
    new = {node.id for node in fresh}
    missed = []
    for node in fresh:
        within = [
            n
            for n, other in enumerate(others)
            if other.id != node.id and abs((other.day - node.day).days) <= window_days
        ]
        hit = False
        for n in columns.copies_of(node.signature, STREAM_BANDS, within):
            hit = True
            found.edges.append((node.id, others[n].id))
            if others[n].id not in new:
                found.partners[others[n].id] = others[n]
            if one_is_enough:
                break
        if not hit:
            missed.append(node)
    return missed
