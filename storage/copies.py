"""Which documents are copies of one another: `copy_text`, `copy_band`, `copy_cluster`, in the caller's transaction.

Two documents are copies when their texts are (`core.copies`) and their days of publication lie at most a window
apart; a cluster is a connected component of that relation, so it depends neither on the order of arrival nor on who
stores what. A document of which an earlier one (of equally early ones, one with a lesser id) is a copy carries that
one on; any other is a voice. So what comes later changes nothing of who was a voice, though it may join two clusters.

Locks, after those of the documents' keys and before those of the minute counts: new nodes, keys of bands, clusters,
single nodes; each in sorted order. What was read before a lock was there is read again with it; if it has changed,
all is taken back to a savepoint and begun again, so nobody ever waits out of order.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Protocol

from sqlalchemy import Connection, text

from core.copies import STREAM_BANDS
from core.copy_clusters import DisjointSets, components, followers
from storage import minute_counts
from storage.copy_index import (
    Member,
    Node,
    add_nodes,
    candidates,
    claim_keys,
    read_clusters,
    read_nodes,
    with_firsts,
    write_nodes,
)
from storage.copy_search import Found, find_copies

WINDOW_DAYS: Final = 7


class Placed(Protocol):
    """Where a document's version is among the clusters: `copy_text` names the node of its text."""

    @property
    def published_at(self) -> datetime: ...
    @property
    def id(self) -> str: ...
    @property
    def copy_text(self) -> int | None: ...


class Version(Placed, minute_counts.Counted, Protocol):
    """What of a document's version is looked at."""


@dataclass(frozen=True)
class Move:
    """A document's newest version and the one it had before the transaction: None for a new document, and for one
    that was deleted."""

    before: Version | None
    after: Version | None


@dataclass(frozen=True)
class Standing:
    """A document that was, or now is, a copy; told whenever the document or its standing has changed.

    Attributes:
        before, after: its version before and after the transaction, as in `Move`; the same where only others moved.
    """

    before: Version | None
    after: Version | None
    was_copy: bool
    is_copy: bool


@dataclass(frozen=True)
class Settlement:
    """What became of a batch.

    Attributes:
        standings: of every document whose counts as a copy have to move.
        voices: by id of a document of the batch, the id of its cluster's earliest; its own where it stands alone.
    """

    standings: Sequence[Standing]
    voices: Mapping[str, str]


@dataclass(frozen=True)
class _Cluster:
    """A row of `copy_cluster`."""

    id: int
    documents: int
    first: Member
    parted: int


class _ChangedMeanwhileError(Exception):
    """What a lock was taken for is no longer what it was."""


def settle(
    connection: Connection, moves: Sequence[Move], nodes: Mapping[int, Node], window_days: int = WINDOW_DAYS
) -> Settlement:
    """Bring a batch into the clusters.

    Args:
        connection: in the transaction that has written the documents already, and holds the locks of their keys.
        nodes: by id, the nodes that the versions after name.
    """
    touched = [move for move in moves if _node(move.after) is not None or _node(move.before) is not None]
    voices = {move.after.id: move.after.id for move in moves if move.after is not None}
    if not touched:
        return Settlement([], voices)
    while True:
        try:
            with connection.begin_nested():
                standings, found = _settle(connection, touched, nodes, window_days)
        except _ChangedMeanwhileError:
            continue
        return Settlement(standings, voices | found)


def _settle(
    connection: Connection, moves: Sequence[Move], given: Mapping[int, Node], window_days: int
) -> tuple[list[Standing], dict[str, str]]:
    added: defaultdict[int, list[Member]] = defaultdict(list)
    removed: defaultdict[int, list[Member]] = defaultdict(list)
    involved: set[int] = set()
    for move in moves:
        before, after = _node(move.before), _node(move.after)
        involved |= {one for one in (before, after) if one is not None}
        if before != after:
            if move.before is not None and before is not None:
                removed[before].append(_member(move.before))
            if move.after is not None and after is not None:
                added[after].append(_member(move.after))
    add_nodes(connection, [given[one] for one in sorted(added)])
    known = read_nodes(connection, involved)
    fresh = [node for one in sorted(added) if (node := _renewed(known[one], added[one])) is not None]
    found, parted = _edges(connection, fresh, window_days)
    known |= found.partners
    clusters = _lock(connection, known)
    if any(cluster.parted != parted.get(cluster.id, cluster.parted) for cluster in clusters.values()):
        raise _ChangedMeanwhileError  # it may not hold any more what one of its members stood for
    news = _News(added, removed, {node.id for node in fresh}, found.edges)
    return _apply(connection, moves, known, clusters, news, window_days)


def take_out(connection: Connection, ids: Sequence[int], window_days: int = WINDOW_DAYS) -> list[Standing]:
    """Empty nodes, whose keys the caller holds, of all their documents.

    Returns:
        What this does to documents that stay: those that were copies and are voices now.
    """
    known, clusters = _hold(connection, ids)
    changed = {one: replace(node, documents=0, first=None) for one, node in known.items()}
    groups = _groups(connection, known, clusters, changed, (), set(known), window_days)
    _write(connection, known, clusters, groups)
    risen = _voices_of(node for group in groups for node in group.named) - _voices_of(known.values())
    return [Standing(row, row, True, False) for row in _versions(connection, risen).values()]


def hold(connection: Connection, versions: Sequence[Placed]) -> set[str]:
    """The ids of those that are copies, which stays so until the transaction ends; nobody looks at them meanwhile.

    Whoever calls this holds the locks of the documents' keys, so that their texts stay as they are too.
    """
    known, _ = _hold(connection, {row.copy_text for row in versions if row.copy_text is not None})
    voices = _voices_of(known.values())
    return {row.id for row in versions if row.copy_text in known and _is_copy(row, voices)}


def _hold(connection: Connection, ids: Collection[int]) -> tuple[dict[int, Node], dict[int, _Cluster]]:
    while True:
        try:
            with connection.begin_nested():
                known = read_nodes(connection, ids)
                return known, _lock(connection, known)
        except _ChangedMeanwhileError:
            continue


def _voices_of(nodes: Iterable[Node]) -> set[Member]:
    return {node.voice for node in nodes if node.voice is not None}


def _node(version: Version | None) -> int | None:
    return version.copy_text if version is not None else None


def _member(version: Placed) -> Member:
    return Member(version.published_at, version.id)


def _renewed(node: Node, added: Sequence[Member]) -> Node | None:
    """A node that comes, or begins earlier than before, as it is held against others; None where nothing of that has
    changed."""
    first = min(added)
    if node.first is not None and node.first < first:
        return None
    return replace(node, first=first, follows=False)


def _edges(connection: Connection, fresh: Sequence[Node], window_days: int) -> tuple[Found, dict[int, int]]:
    """Of whom the nodes that have come are copies; and how often each cluster had been read anew when that was
    asked."""
    keys = claim_keys(connection, fresh) if fresh else []
    if keys is None:
        raise _ChangedMeanwhileError
    known = candidates(connection, keys, fresh, window_days) if keys else []
    parted = {one.cluster: one.parted for one in known if one.cluster is not None}
    return find_copies(connection, fresh, known, window_days), parted


_LOCK_CLUSTERS = text("""
    SELECT id, documents, first_at, first_id, parted FROM copy_cluster WHERE id = ANY(:ids)
    ORDER BY id FOR NO KEY UPDATE
""")
# A node that joined a cluster while this waited does not match any more, and is not locked: its cluster is its lock.
_LOCK_SINGLE = text("SELECT id FROM copy_text WHERE id = ANY(:ids) AND cluster IS NULL ORDER BY id FOR NO KEY UPDATE")


def _lock(connection: Connection, known: dict[int, Node]) -> dict[int, _Cluster]:
    """Hold the clusters of these nodes, or the nodes that have none.

    Raises:
        _ChangedMeanwhileError: a node is not in the cluster, or does not begin, as it was read.
    """
    ids = sorted({node.cluster for node in known.values() if node.cluster is not None})
    found = connection.execute(_LOCK_CLUSTERS, {"ids": ids}) if ids else ()
    clusters = {
        row.id: _Cluster(row.id, row.documents, Member(row.first_at, row.first_id), row.parted) for row in found
    }
    single = sorted(node.id for node in known.values() if node.cluster is None)
    if single:
        connection.execute(_LOCK_SINGLE, {"ids": single}).all()
    for one, node in read_nodes(connection, known).items():
        if node.cluster != known[one].cluster or node.first != known[one].first:
            raise _ChangedMeanwhileError
        known[one] = node
    if len(clusters) < len(ids):
        raise _ChangedMeanwhileError
    return clusters


@dataclass(frozen=True)
class _News:
    """What a batch brings to the nodes.

    Attributes:
        added, removed: documents, by node.
        fresh: the nodes that came or begin earlier than before.
        edges: see `copy_search.Found`.
    """

    added: Mapping[int, Sequence[Member]]
    removed: Mapping[int, Sequence[Member]]
    fresh: Collection[int]
    edges: Sequence[tuple[int, int]]


def _apply(
    connection: Connection,
    moves: Sequence[Move],
    known: dict[int, Node],
    clusters: dict[int, _Cluster],
    news: _News,
    window_days: int,
) -> tuple[list[Standing], dict[str, str]]:
    """Count the documents of the nodes anew, join what belongs together, cut what no longer does."""
    changed = {one: _with_members(known[one], news.added.get(one, ()), news.removed.get(one, ())) for one in known}
    bereft = [node for one, node in changed.items() if known[one].first in news.removed.get(one, ())]
    changed |= {node.id: node for node in with_firsts(connection, bereft)}
    _set_followers(changed, news)
    groups = _groups(connection, known, clusters, changed, news.edges, {*news.removed}, window_days)
    _write(connection, known, clusters, groups)
    voices = {node.id: group.first for group in groups for node in group.named}
    old_voices = _voices_of(known.values())
    new_voices = _voices_of(node for group in groups for node in group.named)
    standings = [
        Standing(move.before, move.after, _is_copy(move.before, old_voices), _is_copy(move.after, new_voices))
        for move in moves
    ]
    others = (old_voices ^ new_voices) - {_member(one) for move in moves if (one := move.after or move.before)}
    standings += [
        Standing(row, row, member not in old_voices, member not in new_voices)
        for member, row in _versions(connection, others).items()
    ]
    found = {
        move.after.id: voices[move.after.copy_text].id
        for move in moves
        if move.after is not None and move.after.copy_text is not None
    }
    return [one for one in standings if one.was_copy or one.is_copy], found


def _with_members(node: Node, added: Sequence[Member], removed: Sequence[Member]) -> Node:
    documents = node.documents + len(added) - len(removed)
    first = min([*added, *([node.first] if node.first is not None else [])], default=None)
    return replace(node, documents=documents, first=first if documents else None)


def _set_followers(changed: dict[int, Node], news: _News) -> None:
    """Of two copies the later follows; what a node that came had followed before is of no account."""
    for one in news.fresh:
        changed[one] = replace(changed[one], follows=False)
    for pair in news.edges:
        known = [(node.first, one) for one in pair if (node := changed[one]).first is not None]
        if len(known) == len(pair):
            _, later = max(known)
            changed[later] = replace(changed[later], follows=True)


def _is_copy(version: Placed | None, voices: set[Member]) -> bool:
    return version is not None and version.copy_text is not None and _member(version) not in voices


@dataclass(frozen=True)
class _Group:
    """One component after the batch.

    Attributes:
        first: its earliest document.
        documents: how many.
        named: those of its nodes that have to be written or told of; not always all.
        swallowed: the clusters whose rows it takes over.
        is_anew: whether all of it was read and compared anew.
    """

    first: Member
    documents: int
    named: Sequence[Node]
    swallowed: Sequence[int]
    is_anew: bool = False


def _groups(
    connection: Connection,
    known: dict[int, Node],
    clusters: Mapping[int, _Cluster],
    changed: Mapping[int, Node],
    edges: Sequence[tuple[int, int]],
    shrunk: set[int],
    window_days: int,
) -> list[_Group]:
    """The components that the batch touches. One that only grew is known from its clusters' rows; one that lost
    a document is read whole and looked through anew.

    Args:
        known: gets what is stored of such components.
    """
    order = sorted(known)
    place = {one: n for n, one in enumerate(order)}
    joined = DisjointSets(len(order))
    homes: dict[int, int] = {}
    for one in order:
        cluster = known[one].cluster
        if cluster is not None:
            joined.join(place[one], homes.setdefault(cluster, place[one]))
    for one, other in edges:
        joined.join(place[one], place[other])
    groups = []
    for members in joined.sets():
        nodes = [changed[order[n]] for n in members]
        inside = sorted({node.cluster for node in nodes if node.cluster is not None})
        if any(node.id in shrunk for node in nodes):
            whole = read_clusters(connection, inside)
            known |= {one: node for one, node in whole.items() if one not in known}
            groups += _rebuilt(connection, whole | {node.id: node for node in nodes}, inside, window_days)
            continue
        firsts = [clusters[one].first for one in inside] + [node.first for node in nodes if node.first is not None]
        grown = sum(node.documents - (known[node.id].documents if node.cluster is not None else 0) for node in nodes)
        documents = sum(clusters[one].documents for one in inside) + grown
        groups.append(_Group(min(firsts), documents, nodes, inside))
    return groups


def _rebuilt(
    connection: Connection, nodes: Mapping[int, Node], inside: Sequence[int], window_days: int
) -> list[_Group]:
    """The components of what is left of a component, all of its nodes given; its clusters' rows are given up."""
    left = sorted((node for node in nodes.values() if node.documents), key=lambda node: (node.first, node.id))
    signatures = [node.signature._replace(fingerprint=node.id) for node in left]
    days = [node.day.toordinal() for node in left]
    parts = components(signatures, STREAM_BANDS, days, window_days)
    led = followers(signatures, STREAM_BANDS, days, window_days)
    groups = []
    for nth, part in enumerate(parts):
        members = [replace(left[n], follows=led[n]) for n in part]
        first = min(node.first for node in members if node.first is not None)
        documents = sum(node.documents for node in members)
        groups.append(_Group(first, documents, members, inside if nth == 0 else (), is_anew=True))
    gone = [node for node in nodes.values() if not node.documents]
    if not groups and inside:
        connection.execute(text("DELETE FROM copy_cluster WHERE id = ANY(:ids)"), {"ids": list(inside)})
    write_nodes(connection, [replace(node, cluster=None, first=None, follows=False) for node in gone])
    return groups


_NEW_IDS = text("SELECT nextval('copy_cluster_id_seq') FROM generate_series(1, :count)")
_RELABEL = text("""
    UPDATE copy_text AS t SET cluster = r.winner
    FROM unnest(CAST(:losers AS bigint[]), CAST(:winners AS bigint[])) AS r(loser, winner)
    WHERE t.cluster = r.loser
""")
_DELETE = text("DELETE FROM copy_cluster WHERE id = ANY(:ids)")
_UPSERT = text("""
    INSERT INTO copy_cluster AS t (id, documents, first_at, first_id, parted)
    SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:documents AS int[]), CAST(:first_at AS timestamptz[]),
                         CAST(:first_id AS text[]), CAST(:parted AS int[]))
             AS c(id, documents, first_at, first_id, parted)
    ORDER BY id
    ON CONFLICT (id) DO UPDATE
    SET documents = excluded.documents, first_at = excluded.first_at, first_id = excluded.first_id,
        parted = t.parted + excluded.parted
""")


def _write(
    connection: Connection, known: Mapping[int, Node], clusters: Mapping[int, _Cluster], groups: Sequence[_Group]
) -> None:
    """Give every component of two documents or more a row, the larger cluster's where clusters became one."""
    unnamed = sum(1 for group in groups if group.documents > 1 and not group.swallowed)
    new = iter(connection.execute(_NEW_IDS, {"count": unnamed}).scalars().all() if unnamed else ())
    rows: dict[int, _Group] = {}
    lost: dict[int, int] = {}
    nodes: list[Node] = []
    for group in groups:
        name: int | None = None
        if group.swallowed:
            name = max(group.swallowed, key=lambda one: (clusters[one].documents, -one))
            lost |= {one: name for one in group.swallowed if one != name}
        elif group.documents > 1:
            name = next(new)
        if name is not None:
            rows[name] = group
        nodes += [replace(node, cluster=name) for node in group.named]
    if lost:
        connection.execute(_RELABEL, {"losers": list(lost), "winners": list(lost.values())})
        connection.execute(_DELETE, {"ids": list(lost)})
    write_nodes(connection, [node for node in nodes if node != known.get(node.id)])
    moved = {
        name: group
        for name, group in rows.items()
        if name not in clusters
        or group.is_anew
        or (group.documents, group.first) != (clusters[name].documents, clusters[name].first)
    }
    if moved:
        parameters: dict[str, Any] = {
            "ids": list(moved),
            "documents": [group.documents for group in moved.values()],
            "first_at": [group.first.published_at for group in moved.values()],
            "first_id": [group.first.id for group in moved.values()],
            "parted": [int(group.is_anew) for group in moved.values()],
        }
        connection.execute(_UPSERT, parameters)


_VERSIONS = text("""
    SELECT d.published_at, d.id, d.source, d.kind, d.lang, d.topic_label, d.model_version, d.sentiment, d.copy_text,
           d.mentions
    FROM unnest(CAST(:times AS timestamptz[]), CAST(:ids AS text[])) AS k(published_at, id)
    JOIN document AS d ON d.published_at = k.published_at AND d.id = k.id
""")


def _versions(connection: Connection, members: Iterable[Member]) -> dict[Member, Any]:
    """The newest versions of documents that gained or lost their voice without being in the batch."""
    wanted = sorted(members)
    if not wanted:
        return {}
    times, ids = zip(*wanted, strict=True)
    found = connection.execute(_VERSIONS, {"times": list(times), "ids": list(ids)})
    return {Member(row.published_at, row.id): row for row in found}


_VOICES = text("""
    SELECT d.id, coalesce(c.first_id, d.id) AS voice
    FROM unnest(CAST(:ids AS text[]), CAST(:nodes AS bigint[])) AS d(id, node)
    LEFT JOIN copy_text AS t ON t.id = d.node
    LEFT JOIN copy_cluster AS c ON c.id = t.cluster
""")


def voices(connection: Connection, versions: Iterable[Placed]) -> dict[str, str]:
    """By id, the earliest of each document's cluster as of now."""
    rows = list(versions)
    if not rows:
        return {}
    parameters = {"ids": [row.id for row in rows], "nodes": [row.copy_text for row in rows]}
    return {row.id: row.voice for row in connection.execute(_VOICES, parameters)}
