"""Stored documents with what a model said of them, to hold another model against it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, text

from core.windows import MINUTE, floor_to
from storage.human_labels import READ_TEXT
from storage.tables import model_overlap, opinion_minute

_SAMPLE = text(f"""
    SELECT {READ_TEXT}, d.sentiment, d.topic_label, d.source, d.lang
    FROM document d TABLESAMPLE SYSTEM (:percent)
    WHERE d.model_version = :version ORDER BY md5(d.id) LIMIT :wanted
""")  # noqa: S608  # a constant


@dataclass(frozen=True, slots=True)
class JudgedText:
    """What a model read, and said."""

    text: str
    sentiment: str
    topic: str
    source: str
    lang: str


def judged_by(connection: Connection, version: str, wanted: int) -> list[JudgedText]:
    """About so many documents that this model judged; all of them where there are fewer."""
    total = documents_of(connection, version)
    if not total:
        return []
    percent = min(100.0, 100 * 1.5 * wanted / total)  # pages differ in how many rows they hold
    found = connection.execute(_SAMPLE, {"percent": percent, "version": version, "wanted": wanted})
    return [JudgedText(*row) for row in found]


def documents_of(connection: Connection, version: str) -> int:
    """How many stored documents this model judged."""
    query = select(func.sum(opinion_minute.c.total)).where(opinion_minute.c.model_version == version)
    return int(connection.scalar(query) or 0)


def model_before(connection: Connection, version: str) -> str | None:
    """The model of the newest documents that another one than this judged."""
    query = (
        select(opinion_minute.c.model_version)
        .where(opinion_minute.c.model_version != version, opinion_minute.c.total > 0)
        .order_by(opinion_minute.c.bucket_at.desc())
        .limit(1)
    )
    found: str | None = connection.scalar(query)
    return found


def models_between(connection: Connection, since: datetime, until: datetime | None) -> list[str]:
    """The models of documents published then, that with the most first."""
    m = opinion_minute.c
    query = select(m.model_version).where(m.bucket_at >= floor_to(since, MINUTE), m.total > 0)
    if until is not None:
        query = query.where(m.bucket_at < until)
    return list(connection.scalars(query.group_by(m.model_version).order_by(func.sum(m.total).desc())))


def is_overlap_known(connection: Connection, old: str, new: str) -> bool:
    """Whether both have judged a common sample."""
    query = select(model_overlap.c.documents).where(
        model_overlap.c.old_version == old, model_overlap.c.new_version == new
    )
    return connection.scalar(query.limit(1)) is not None
