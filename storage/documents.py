"""Writing documents: each id one row for good, its history, and the minute counts, in the caller's transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, NamedTuple

from psycopg.types.json import Jsonb
from sqlalchemy import Connection, delete, select, text, tuple_

from core.copies import Signature, compared_text, sign
from core.taxonomy import Sentiment
from storage import copies, mentions, opt_outs
from storage.copy_index import Node, node_of
from storage.copying import copy_rows
from storage.minute_counts import CountChanges
from storage.tables import document, document_key, document_revision

Fate = Literal["stored", "repeat", "revision", "refused"]
"""`refused`: on the opt-out list, or expired (`storage.opt_outs`); it has no effect, and the ledger counts it as a
repeat: it accounts for every offset, and a record without effect is what a repeat is."""

KEPT_METRICS = 20
"""A document revised so often takes a new count of likes, reposts or replies in place, without a row of history and
without an event: what is crawled every ten minutes for a year would otherwise fill the history with its own text."""


class DocumentRow(NamedTuple):
    """One version of a document with its verdict: the columns of `document`, in their order.

    `crawled_at` orders versions; `record_partition`, `record_offset` and `recorded_at` say which Kafka record
    made this one, so that a redelivered record is known for what it is. `…_uncertain` is None in rows that were
    judged before there was that mark. `mentions` holds what this version says of each watchlist
    (`core.records.Mention` as JSON), None where it mentions none: with it an old version's event can be told again
    word for word, while the table `mention` has the newest version's, for queries. `copy_text` is set when a version
    is stored: the node of its text in `storage.copy_index`, None where it is too short to have copies.
    """

    published_at: datetime
    id: str
    revision: int
    kind: str
    source: str
    lang: str
    url: str | None
    title: str | None
    text: str
    author: str | None
    parent_id: str | None
    likes: int
    reposts: int
    replies: int
    crawled_at: datetime
    content_hash: bytes
    topic_label: str
    topic_scores: dict[str, float]
    sentiment: Sentiment
    score_negative: float
    score_neutral: float
    score_positive: float
    topic_uncertain: bool | None
    sentiment_uncertain: bool | None
    mentions: list[dict[str, Any]] | None
    model_version: str
    record_partition: int
    record_offset: int
    recorded_at: datetime
    stored_at: datetime
    quoted_text: str | None = None
    copy_text: int | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one record. `published` is the version its record made, to be sent on; None for a repeat
    that made none. `voice` is the id of the document whose copy the newest version is, as known now; its own where
    it is none."""

    fate: Fate
    published: DocumentRow | None
    voice: str | None = None


_COLUMNS = [column.name for column in document.columns]
if tuple(_COLUMNS) != DocumentRow._fields:
    raise TypeError("DocumentRow and storage.tables.document have different columns")

_KEPT_AS_THEY_WERE = {"published_at", "id"}
_UPSERT = text(
    f"INSERT INTO document ({', '.join(_COLUMNS)}) "  # noqa: S608  # our own column names
    f"SELECT {', '.join(_COLUMNS)} FROM incoming_document ORDER BY id "
    "ON CONFLICT (published_at, id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS if name not in _KEPT_AS_THEY_WERE)
)


def store(
    connection: Connection, incoming: Sequence[DocumentRow], copy_window_days: int = copies.WINDOW_DAYS
) -> list[Settled]:
    """Bring a batch into `document`, `document_revision`, `mention`, the clusters of copies, `opinion_minute` and
    `watchlist_minute`.

    Args:
        connection: inside a transaction; the partitions for the rows' months exist (`storage.partitions`).
        incoming: in offset order within a partition; `revision` and `copy_text` are ignored and set here.
        copy_window_days: documents published further apart are no copies of each other.

    Returns:
        One `Settled` per record, in order. Running the same batch again changes nothing and returns the same
        versions to publish.
    """
    signatures = sign([compared_text(row.title, row.text) for row in incoming])
    current, claimed = _lock_current(connection, incoming)
    is_refused = opt_outs.refused(
        connection,
        [row._replace(published_at=current[row.id].published_at) if row.id in current else row for row in incoming],
    )
    batch = _Batch(started=current, current=dict(current))
    settled = [
        Settled("refused", None) if is_barred else batch.take(row, signature)
        for row, is_barred, signature in zip(incoming, is_refused, signatures, strict=True)
    ]
    _let_go(connection, sorted(claimed - batch.current.keys()))
    newest = [batch.current[key] for key in sorted(batch.touched)]
    _write(connection, newest, batch.replaced)
    mentions.replace(
        connection,
        [one for row in newest for one in mentions.rows_of(row)],
        [(row.published_at, row.id) for row in newest if row.id in batch.started],
    )
    moves = [copies.Move(batch.started.get(row.id), row) for row in newest]
    settlement = copies.settle(connection, moves, batch.nodes, copy_window_days)
    batch.changes.move_copies(settlement.standings)
    batch.changes.apply(connection)
    again = [row for key, row in batch.current.items() if key not in settlement.voices]
    voices = {**copies.voices(connection, again), **settlement.voices}
    return [
        replace(one, voice=voices[one.published.id]) if one.published is not None else one
        for one in _with_redelivered(connection, incoming, settled, batch.current)
    ]


@dataclass
class _Batch:
    """What a batch makes of the documents whose keys it holds, one record after the other.

    Attributes:
        started, current: the newest version of each document by id, before the batch and by now.
        replaced: versions for the history.
        touched: ids of documents that have changed.
        nodes: of the texts that came, for `copies.settle`.
    """

    started: dict[str, DocumentRow]
    current: dict[str, DocumentRow]
    replaced: list[DocumentRow] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    nodes: dict[int, Node] = field(default_factory=dict)
    changes: CountChanges = field(default_factory=CountChanges)

    def take(self, row: DocumentRow, signature: Signature | None) -> Settled | None:
        """The fate of a record; None for a redelivery, whose version is stored already, here or in the history."""
        before = self.current.get(row.id)
        fate = decide(before, row)
        if fate is None or fate == "repeat":
            return Settled("repeat", None) if fate else None
        self.touched.add(row.id)
        if before is not None and before.revision >= KEPT_METRICS and _only_metrics_differ(before, row):
            self.current[row.id] = _with_metrics(before, row)
            return Settled(fate, None)
        after = row._replace(revision=0, copy_text=None)
        if before is not None:
            after = after._replace(revision=before.revision + 1, published_at=before.published_at)
            self.replaced.append(before)
            self.changes.remove(before)
        if signature is not None:
            node = node_of(signature, after.published_at)
            self.nodes[node.id] = node
            after = after._replace(copy_text=node.id)
        self.changes.add(after)
        self.current[row.id] = after
        return Settled(fate, after)


def decide(before: DocumentRow | None, row: DocumentRow) -> Fate | None:
    """The fate of a record whose id holds `before`; None when `before` or an older version was made by it.

    A newer crawl with other content is a revision; an older crawl that arrives late changes nothing.
    """
    if before is None:
        return "stored"
    is_redelivery = (
        row.record_partition == before.record_partition
        and row.record_offset <= before.record_offset
        and row.recorded_at <= before.recorded_at  # false after the topic was recreated: offsets start anew
    )
    if is_redelivery:
        return None
    if row.content_hash == before.content_hash or row.crawled_at < before.crawled_at:
        return "repeat"
    return "revision"


_METRICS = ("likes", "reposts", "replies")
_SAID = ("kind", "source", "lang", "url", "title", "text", "author", "parent_id", "quoted_text")


def _only_metrics_differ(before: DocumentRow, row: DocumentRow) -> bool:
    return all(getattr(before, name) == getattr(row, name) for name in _SAID)


def _with_metrics(before: DocumentRow, row: DocumentRow) -> DocumentRow:
    """The same version with newer counts. It stays the version that its record made, so that a redelivery of that
    record is known and published again; the newer record, redelivered, has the same content and is a repeat."""
    counts = {name: getattr(row, name) for name in _METRICS}
    return before._replace(crawled_at=row.crawled_at, content_hash=row.content_hash, **counts)


def _lock_current(connection: Connection, incoming: Sequence[DocumentRow]) -> tuple[dict[str, DocumentRow], set[str]]:
    """Claim the ids of the batch, in sorted order, and read what they hold. Returns that, and the ids that are new.

    New ids are inserted, known ones locked: two workers with overlapping batches wait for each other, and the
    sorted order keeps them from waiting in a circle.
    """
    first: dict[str, datetime] = {}
    for row in incoming:
        first.setdefault(row.id, row.published_at)
    ids = sorted(first)
    new = set(
        connection.execute(
            text(
                "INSERT INTO document_key (id, published_at) SELECT id, published_at "
                "FROM unnest(CAST(:ids AS text[]), CAST(:times AS timestamptz[])) AS k(id, published_at) "
                "ORDER BY id ON CONFLICT (id) DO NOTHING RETURNING id"
            ),
            {"ids": ids, "times": [first[key] for key in ids]},
        ).scalars()
    )
    known = [key for key in ids if key not in new]
    if not known:
        return {}, new
    # Two statements: one that waits for a lock goes on with the snapshot it began with, so a join in it would
    # show the document as it was before the other writer's commit.
    key = document_key.c
    locked = select(key.id).where(key.id.in_(known)).order_by(key.id).with_for_update()
    connection.execute(locked).all()
    rows = connection.execute(
        select(document)
        .join(document_key, (document.c.published_at == key.published_at) & (document.c.id == key.id))
        .where(key.id.in_(known))
    )
    return {row.id: DocumentRow(*row) for row in rows}, new


def _let_go(connection: Connection, ids: Sequence[str]) -> None:
    """Give back keys that were claimed for documents that are not stored."""
    if ids:
        connection.execute(delete(document_key).where(document_key.c.id.in_(ids)))


def known_ids(connection: Connection, ids: Iterable[str]) -> set[str]:
    """Those of these ids that a document has."""
    wanted = sorted(set(ids))
    return (
        set(connection.scalars(select(document_key.c.id).where(document_key.c.id.in_(wanted)))) if wanted else set()
    )


def _with_redelivered(
    connection: Connection,
    incoming: Sequence[DocumentRow],
    settled: Sequence[Settled | None],
    current: dict[str, DocumentRow],
) -> list[Settled]:
    """Fill the gaps: for each redelivered record find the version it once made, so that it is published again."""
    made = {_record(row): row for row in current.values()}
    lost = [_record(row) for row, fate in zip(incoming, settled, strict=True) if fate is None]
    wanted = [record for record in lost if record not in made]
    if wanted:
        history = document_revision.c
        found = connection.execute(
            select(*[history[name] for name in _COLUMNS]).where(
                tuple_(history.id, history.record_partition, history.record_offset).in_(wanted)
            )
        )
        made.update((_record(row), row) for row in (DocumentRow(*values) for values in found))
    return [
        fate if fate is not None else Settled("repeat", made.get(_record(row)))
        for row, fate in zip(incoming, settled, strict=True)
    ]


def _record(row: DocumentRow) -> tuple[str, int, int]:
    return row.id, row.record_partition, row.record_offset


def _write(connection: Connection, rows: Sequence[DocumentRow], replaced: Sequence[DocumentRow]) -> None:
    """COPY the newest versions into a temporary table and upsert from it; history goes straight in."""
    if rows:
        connection.execute(
            text("CREATE TEMP TABLE IF NOT EXISTS incoming_document (LIKE document) ON COMMIT DELETE ROWS")
        )
        copy_rows(connection, "incoming_document", document, map(_with_json, rows))
        connection.execute(_UPSERT)
    if replaced:
        copy_rows(connection, "document_revision", document, map(_with_json, replaced))


def _with_json(row: DocumentRow) -> DocumentRow:
    mentioned = Jsonb(row.mentions) if row.mentions else None
    return row._replace(topic_scores=Jsonb(row.topic_scores), mentions=mentioned)  # type: ignore[arg-type]
