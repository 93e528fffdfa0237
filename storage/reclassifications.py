"""Jobs that have another model judge stored documents again: their rows, and the transaction of each batch.

A batch is one transaction: verdicts, mentions, minute counts, and how far the job has come. So it is done once,
whenever the process is killed, and counts and rows agree at every moment.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

import msgspec
from sqlalchemy import Connection, Row, func, insert, select, text, update

from core.errors import DependencyNotReadyError, NotFoundError, UsageError
from core.records import Mention, Opinion
from core.taxonomy import SENTIMENTS
from core.windows import MINUTE, floor_to
from storage import stored_documents
from storage.stored_documents import Place, StoredDocument
from storage.tables import opinion_minute, reclassification, watchlist_minute

Status = Literal["open", "done", "cancelled"]
Figures = dict[str, Any]
"""`documents` read, `rescored`, `changed` (another sentiment or topic), `mentions` judged again, `left` for the
detector, `revised` meanwhile, `failed`; `sentiments` and `topics`: how many moved, by "from → to"."""

_COUNTED: Final = ("documents", "rescored", "changed", "mentions", "left", "revised", "failed")
_MOVED: Final = ("sentiments", "topics")


@dataclass(frozen=True)
class Wanted:
    """What to judge again, and by which model; empty `sources` and `watchlists` stand for any."""

    model_version: str
    since: datetime
    until: datetime | None = None
    sources: tuple[str, ...] = ()
    watchlists: tuple[str, ...] = ()

    def overlaps(self, other: "Wanted") -> bool:
        """Whether a document may be in both."""
        is_apart = bool(self.sources and other.sources and not set(self.sources) & set(other.sources))
        ends = [(self, other), (other, self)]
        return not is_apart and all(one.until is None or one.until > another.since for one, another in ends)


class Job(NamedTuple):
    """One row. `reached` is the last document that is done; None before the first."""

    id: int
    wanted: Wanted
    status: Status
    reached: Place | None
    figures: Figures
    started_at: datetime
    started_by: str
    updated_at: datetime
    finished_at: datetime | None


class ReclassificationEnded(Exception):  # noqa: N818 - control flow, not a failure
    """Somebody cancelled the job; nothing of the batch was done."""


@dataclass(frozen=True)
class Judged:
    """What the model says of a document as it was read; of `opinion.mentions` those that the document is stored with
    count."""

    document: StoredDocument
    opinion: Opinion


def begin(connection: Connection, wanted: Wanted) -> Job:
    """The open job of just these documents and this model, to go on with; else a new one.

    Raises:
        UsageError: another one has not finished some of these documents.
    """
    for job in _open(connection):
        if job.wanted == wanted:
            return job
        if job.wanted.overlaps(wanted):
            raise UsageError(
                f"reclassification {job.id}, by {job.wanted.model_version}, has not finished some of these documents",
                remedy=f"opinion reclassify cancel {job.id}, or run it to its end: see opinion reclassify list",
            )
    table = reclassification
    values = {
        "model_version": wanted.model_version,
        "since": wanted.since,
        "until": wanted.until,
        "sources": list(wanted.sources),
        "watchlists": list(wanted.watchlists),
        "status": "open",
        "figures": {},
    }
    return _job(connection.execute(insert(table).values(values).returning(table)).one())


def outlook(connection: Connection, wanted: Wanted) -> dict[str, int]:
    """How many of the documents each model has judged, by the minute counts: that with the most first.

    Where watchlists are named, a document counts once for each that it mentions.
    """
    counted = watchlist_minute.c if wanted.watchlists else opinion_minute.c
    total = func.sum(counted.total)
    query = select(counted.model_version, total).where(
        counted.bucket_at >= floor_to(wanted.since, MINUTE), counted.total > 0
    )
    if wanted.until is not None:
        query = query.where(counted.bucket_at < wanted.until)
    if wanted.sources:
        query = query.where(counted.source.in_(wanted.sources))
    if wanted.watchlists:
        query = query.where(counted.watchlist.in_(wanted.watchlists))
    rows = connection.execute(query.group_by(counted.model_version).order_by(total.desc()))
    return {version: int(count) for version, count in rows}


def jobs(connection: Connection, limit: int) -> list[Job]:
    """The newest."""
    query = select(reclassification).order_by(reclassification.c.id.desc()).limit(limit)
    return [_job(row) for row in connection.execute(query)]


def cancel(connection: Connection, job_id: int) -> Job:
    """End an open job where it is; what it has judged stays. Waits for the batch under way.

    Raises:
        NotFoundError: no such job. UsageError: it has ended.
    """
    job = _locked(connection, job_id)
    if job.status != "open":
        raise UsageError(f"reclassification {job_id} is {job.status}", remedy="opinion reclassify list")
    return _end(connection, job_id, "cancelled")


def finish(connection: Connection, job_id: int) -> Job:
    """All is done."""
    if _locked(connection, job_id).status != "open":
        raise ReclassificationEnded
    return _end(connection, job_id, "done")


def apply(
    connection: Connection,
    job_id: int,
    judged: Sequence[Judged],
    *,
    after: Place | None,
    reached: Place | None = None,
    more: Mapping[str, int] | None = None,
) -> list[StoredDocument]:
    """Write the verdicts, move the counts and take the job on, in the caller's transaction.

    Args:
        after: where the job has to stand.
        reached: where it stands after this; None: there, until what is returned is judged, too.
        more: figures of the batch, added once it is done.

    Returns:
        Documents that were revised since they were read, as they are now: nothing was done to them.

    Raises:
        ReclassificationEnded: it was cancelled.
        DependencyNotReadyError: another process has taken it on.
    """
    job = _locked(connection, job_id)
    if job.status != "open":
        raise ReclassificationEnded
    if job.reached != after:
        raise DependencyNotReadyError(
            f"another process goes on with reclassification {job_id}", remedy="opinion reclassify list"
        )
    wanted = {one.document.id: one for one in judged}
    current = stored_documents.lock(connection, wanted) if wanted else []
    stale = [row for row in current if row.revision != wanted[row.id].document.revision]
    done = [
        (row, _rescored(row, wanted[row.id].opinion))
        for row in current
        if row.revision == wanted[row.id].document.revision
    ]
    if done:
        _write(connection, [(new, wanted[new.id].opinion) for _, new in done])
        stored_documents.move_counts(connection, done)
    found = _figures(done, len(stale), more if more and not stale else {})
    place = reached if reached is not None and not stale else after
    connection.execute(
        update(reclassification)
        .where(reclassification.c.id == job_id)
        .values(
            figures=merged(job.figures, found),
            reached_at=place.published_at if place else None,
            reached_id=place.id if place else None,
            updated_at=func.clock_timestamp(),
        )
    )
    return stale


def merged(before: Figures, found: Figures) -> Figures:
    """Both together."""
    counts = {name: before.get(name, 0) + found.get(name, 0) for name in _COUNTED}
    moves: Figures = {name: dict(Counter(before.get(name, {})) + Counter(found.get(name, {}))) for name in _MOVED}
    return counts | moves


def rescored_by(
    connection: Connection, start: datetime, end: datetime, *, since: datetime, sources: Iterable[str] = ()
) -> list[str]:
    """The models that documents published in [start, end) were judged again by, since a wall time.

    Args:
        sources: of these only; none: of any.
    """
    t = reclassification.c
    query = select(t.model_version, t.sources).where(
        t.updated_at > since, t.since < end, t.reached_at >= start, t.figures["rescored"].as_integer() > 0
    )
    asked = set(sources)
    rows = connection.execute(query).all()
    return sorted({row.model_version for row in rows if not asked or not row.sources or asked & set(row.sources)})


def _figures(done: Sequence[tuple[StoredDocument, StoredDocument]], revised: int, more: Mapping[str, int]) -> Figures:
    sentiments = Counter(f"{old.sentiment} → {new.sentiment}" for old, new in done if old.sentiment != new.sentiment)
    topics = Counter(
        f"{old.topic_label} → {new.topic_label}" for old, new in done if old.topic_label != new.topic_label
    )
    counts = {
        "rescored": len(done),
        "changed": sum((old.sentiment, old.topic_label) != (new.sentiment, new.topic_label) for old, new in done),
        "mentions": sum("model_version" not in one for _, new in done for one in new.mentions or ()),
        "revised": revised,
    }
    return {**counts, **more, "sentiments": dict(sentiments), "topics": dict(topics)}


def _rescored(row: StoredDocument, opinion: Opinion) -> StoredDocument:
    """The document with the model's verdict. A mention that was not judged again keeps its own, and says whose it
    is."""
    judged = {one.watchlist: one for one in opinion.mentions}
    kept: list[dict[str, Any]] = []
    for stored in row.mentions or ():
        new: Mention | None = judged.get(stored["watchlist"])
        if new is None:
            kept.append({"model_version": row.model_version, **stored})
        else:
            kept.append(msgspec.to_builtins(msgspec.structs.replace(new, mentions=stored["mentions"])))
    return row._replace(
        topic_label=opinion.topic_label,
        sentiment=opinion.sentiment,
        mentions=kept or None,
        model_version=opinion.model_version,
    )


# The version stays the one that its record made: a redelivery of that record is still known for what it is.
_WRITE: Final = text("""
    UPDATE document AS d SET
        topic_label = k.topic_label, topic_scores = CAST(k.topic_scores AS jsonb), sentiment = k.sentiment,
        score_negative = k.negative, score_neutral = k.neutral, score_positive = k.positive,
        topic_uncertain = k.topic_uncertain, sentiment_uncertain = k.sentiment_uncertain,
        mentions = CAST(k.mentions AS jsonb), model_version = k.model_version
    FROM unnest(CAST(:published_at AS timestamptz[]), CAST(:id AS text[]), CAST(:topic_label AS text[]),
                CAST(:topic_scores AS text[]), CAST(:sentiment AS text[]), CAST(:negative AS real[]),
                CAST(:neutral AS real[]), CAST(:positive AS real[]), CAST(:topic_uncertain AS boolean[]),
                CAST(:sentiment_uncertain AS boolean[]), CAST(:mentions AS text[]), CAST(:model_version AS text[]))
         AS k(published_at, id, topic_label, topic_scores, sentiment, negative, neutral, positive, topic_uncertain,
              sentiment_uncertain, mentions, model_version)
    WHERE d.published_at = k.published_at AND d.id = k.id
""")


def _write(connection: Connection, rows: Sequence[tuple[StoredDocument, Opinion]]) -> None:
    values = [
        {
            "published_at": row.published_at,
            "id": row.id,
            "topic_label": row.topic_label,
            "topic_scores": json.dumps(opinion.topic_scores),
            "sentiment": row.sentiment,
            **{name: opinion.sentiment_scores[name] for name in SENTIMENTS},
            "topic_uncertain": opinion.topic_uncertain,
            "sentiment_uncertain": opinion.sentiment_uncertain,
            "mentions": json.dumps(row.mentions) if row.mentions else None,
            "model_version": row.model_version,
        }
        for row, opinion in rows
    ]
    connection.execute(_WRITE, {name: [one[name] for one in values] for name in values[0]})


def _open(connection: Connection) -> list[Job]:
    t = reclassification
    return [_job(row) for row in connection.execute(select(t).where(t.c.status == "open").order_by(t.c.id))]


def _locked(connection: Connection, job_id: int) -> Job:
    """Before any document: whoever cancels waits for a batch, and no batch waits for whoever cancels."""
    query = select(reclassification).where(reclassification.c.id == job_id).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no reclassification {job_id}", remedy="opinion reclassify list")
    return _job(row)


def _end(connection: Connection, job_id: int, status: Status) -> Job:
    t = reclassification
    values = {"status": status, "finished_at": func.clock_timestamp()}
    return _job(connection.execute(update(t).where(t.c.id == job_id).values(values).returning(t)).one())


def _job(row: Row[Any]) -> Job:
    return Job(
        id=row.id,
        wanted=Wanted(row.model_version, row.since, row.until, tuple(row.sources), tuple(row.watchlists)),
        status=row.status,
        reached=Place(row.reached_at, row.reached_id) if row.reached_at is not None else None,
        figures=row.figures,
        started_at=row.started_at,
        started_by=row.started_by,
        updated_at=row.updated_at,
        finished_at=row.finished_at,
    )
