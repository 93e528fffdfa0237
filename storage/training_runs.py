"""Runs of the retrain job: one at a time, each with what it learned from and why its model was taken or not."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Engine, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from storage.human_labels import READ_TEXT, StoredText
from storage.tables import opinion_minute, training_run

RETRAIN_LOCK: Final = 0x6F70_7274  # "oprt"; whoever holds it is the one run


class TrainingRun(NamedTuple):
    """One run; `finished_at` is None while it lasts."""

    id: int
    started_at: datetime
    finished_at: datetime | None
    champion: str
    candidate: str | None
    is_promoted: bool
    reasons: list[str]
    last_label_id: int
    metrics: dict[str, Any]


@contextmanager
def only_run(engine: Engine) -> Iterator[bool]:
    """Hold the right to train for as long as the context lasts; yields False when somebody else has it.

    The lock belongs to a connection of its own, so it ends with this process however that ends.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        is_ours = bool(connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": RETRAIN_LOCK}))
        try:
            yield is_ours
        finally:
            if is_ours:
                with suppress(DBAPIError):  # the connection is gone, and the lock with it
                    connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": RETRAIN_LOCK})


def start(connection: Connection, *, champion: str, last_label_id: int) -> int:
    """A new run has begun. Returns its id."""
    row = {"champion": champion, "last_label_id": last_label_id}
    return int(connection.scalar(insert(training_run).values(row).returning(training_run.c.id)) or 0)


def finish(
    connection: Connection,
    run: int,
    *,
    reasons: Sequence[str],
    candidate: str | None = None,
    is_promoted: bool = False,
    metrics: Mapping[str, Any] | None = None,
) -> None:
    """The run is over, with this verdict."""
    connection.execute(
        update(training_run)
        .where(training_run.c.id == run)
        .values(
            finished_at=func.clock_timestamp(),
            candidate=candidate,
            is_promoted=is_promoted,
            reasons=list(reasons),
            metrics=dict(metrics or {}),
        )
    )


def mark_promoted(connection: Connection, run: int) -> None:
    """Its candidate was promoted later, by its shadow."""
    connection.execute(update(training_run).where(training_run.c.id == run).values(is_promoted=True))


def close_abandoned(connection: Connection, reason: str) -> int:
    """Mark runs that never finished; only for the holder of `only_run`, who knows that nobody is at work."""
    statement = update(training_run).where(training_run.c.finished_at.is_(None))
    return connection.execute(statement.values(finished_at=func.clock_timestamp(), reasons=[reason])).rowcount


def newest(connection: Connection, limit: int = 20) -> list[TrainingRun]:
    """The latest runs, the newest first."""
    columns = [training_run.c[name] for name in TrainingRun._fields]
    statement = select(*columns).order_by(training_run.c.id.desc()).limit(limit)
    return [TrainingRun(*row) for row in connection.execute(statement)]


def last_label_seen(connection: Connection) -> int:
    """The newest label that a run which came to a verdict has learned from; 0 when there was none."""
    judged = select(func.max(training_run.c.last_label_id)).where(training_run.c.candidate.is_not(None))
    return connection.scalar(judged) or 0


# SYSTEM reads whole pages, so the sample costs the same however many documents there are.
_SAMPLE = text(f"""
    SELECT d.id, {READ_TEXT}, d.text, d.lang, d.source
    FROM document d TABLESAMPLE SYSTEM (:percent) ORDER BY md5(d.id) LIMIT :wanted
""")  # noqa: S608  # a constant


def sample_documents(connection: Connection, wanted: int) -> list[StoredText]:
    """About so many stored documents from all times, for replay; all of them when there are fewer."""
    total = connection.scalar(select(func.sum(opinion_minute.c.total))) or 0
    if not total:
        return []
    percent = min(100.0, 100 * 1.5 * wanted / total)  # pages differ in how many rows they hold
    return [StoredText(*row) for row in connection.execute(_SAMPLE, {"percent": percent, "wanted": wanted})]
