"""Whose copies the nodes of a batch are, without holding each against all that share a key with it.

A story in fifty thousand wordings shares its keys with every one of them. But a text that is a copy of one member of
a cluster belongs to the cluster, so the first few members are tried, and the others only where all of these miss. Who
is whose copy's voice is a matter of pairs: of the members after a node every one that is a voice is tried.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from core.copies import STREAM_BANDS, Signatures, bands
from storage.copy_index import Candidate, Member, Node, read_nodes

TRIED_FIRST = 64


@dataclass
class Found:
    """Copies that were found.

    Attributes:
        edges: pairs of a node that came and one of which it is a copy: of each cluster the earliest, and every later
            one that is a voice.
        partners: what is stored of the others.
    """

    edges: list[tuple[int, int]] = field(default_factory=list)
    partners: dict[int, Node] = field(default_factory=dict)


def find_copies(
    connection: Connection, fresh: Sequence[Node], known: Collection[Candidate], window_days: int
) -> Found:
    """Hold the nodes that came against each other and against those that share a key with one of them.

    Args:
        fresh: nodes that came or begin earlier than before, each with its earliest document of now, following nobody.
        known: the others, the earliest first.
    """
    found = Found()
    new = {node.id: node for node in fresh}
    by_cluster: defaultdict[int | None, list[Candidate]] = defaultdict(list)
    for one in known:
        if one.id not in new:
            by_cluster[one.cluster].append(one)
    tried = {one.id for one in by_cluster.pop(None, [])}
    begin = min((_first(node) for node in fresh), default=None)
    for members in by_cluster.values():
        tried |= {one.id for one in members[:TRIED_FIRST]}
        tried |= {one.id for one in members if begin is not None and not one.follows and one.first > begin}
    _compare(found, fresh, [*fresh, *_read(connection, tried)], window_days)
    for cluster, members in by_cluster.items():
        rest = [one for one in members if one.id not in tried]
        if rest:
            missed = _without_earlier(found, fresh, cluster, rest[0].first)
            if missed:
                _compare(found, missed, _read(connection, [one.id for one in rest]), window_days)
    return found


def _read(connection: Connection, ids: Collection[int]) -> list[Node]:
    """Those nodes that still have documents; the last may have gone since the candidates were read."""
    return [node for node in read_nodes(connection, ids).values() if node.first is not None]


def _first(node: Node) -> Member:
    if node.first is None:
        raise ValueError(f"node {node.id} has no document")
    return node.first


def _without_earlier(found: Found, fresh: Sequence[Node], cluster: int | None, begin: Member) -> list[Node]:
    """The nodes of which no copy was found in a cluster, or no earlier one where there may be one from `begin` on."""
    earliest: dict[int, Member] = {}
    for one, other in found.edges:
        partner = found.partners.get(other)
        if partner is not None and partner.cluster == cluster:
            earliest[one] = min(earliest.get(one, _first(partner)), _first(partner))
    return [
        node
        for node in fresh
        if node.id not in earliest or (earliest[node.id] > _first(node) and begin < _first(node))
    ]


def _compare(found: Found, fresh: Sequence[Node], others: Sequence[Node], window_days: int) -> None:
    """Note of whom each node is a copy; see `Found`."""
    others = sorted(others, key=_first)
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
            is_led = not other.follows and _first(other) > _first(fresh[n])
            if other.cluster is None or other.cluster not in hit or is_led:
                found.edges.append((fresh[n].id, other.id))
                if other.id not in new:
                    found.partners[other.id] = other
                if other.cluster is not None:
                    hit.add(other.cluster)
