"""Runs of the retrain job: one at a time, each with what it learned from and why its model was taken or not."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Engine, func, insert, select, text, update

from storage.advisory_locks import hold
from storage.human_labels import READ_TEXT, StoredText
from storage.tables import opinion_minute, training_run

RETRAIN_LOCK: Final = 0x6F70_7274  # "oprt"; whoever holds it is the one run


class TrainingRun(NamedTuple):
    """One run; `finished_at` is None while it lasts.

    Attributes:
        trigger, trigger_reason: what began it (see `opinion.triggers`), and the same in words.
        snapshot_hash, snapshot: what it learned from (see `opinion.snapshot`); None of a run before that was kept.
        progress, progress_at: stage, step, steps and figures on dev; moves while the run lasts.
    """

    id: int
    started_at: datetime
    finished_at: datetime | None
    champion: str
    candidate: str | None
    is_promoted: bool
    reasons: list[str]
    last_label_id: int
    metrics: dict[str, Any]
    trigger: str
    trigger_reason: str
    snapshot_hash: str | None
    snapshot: dict[str, Any]
    progress: dict[str, Any]
    progress_at: datetime | None


def only_run(engine: Engine) -> AbstractContextManager[bool]:
    """The right to train, as long as the context lasts; it gives False when somebody else has it."""
    return hold(engine, RETRAIN_LOCK)


def start(
    connection: Connection,
    *,
    champion: str,
    last_label_id: int,
    trigger: str = "hand",
    trigger_reason: str = "",
    snapshot_hash: str | None = None,
    snapshot: Mapping[str, Any] | None = None,
) -> int:
    """A new run has begun. Returns its id."""
    row = {
        "champion": champion,
        "last_label_id": last_label_id,
        "trigger": trigger,
        "trigger_reason": trigger_reason,
        "snapshot_hash": snapshot_hash,
        "snapshot": dict(snapshot or {}),
    }
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


def set_progress(connection: Connection, run: int, progress: Mapping[str, Any]) -> None:
    """How far a run is; one that has finished is left as it is."""
    connection.execute(
        update(training_run)
        .where(training_run.c.id == run, training_run.c.finished_at.is_(None))
        .values(progress=dict(progress), progress_at=func.clock_timestamp())
    )


def has_seen(connection: Connection, run: int, last_label_id: int) -> None:
    """The labels up to this one change nothing of what the run has learned from; they are not new any more."""
    connection.execute(update(training_run).where(training_run.c.id == run).values(last_label_id=last_label_id))


def mark_promoted(connection: Connection, run: int) -> None:
    """Its candidate was promoted later, by its shadow."""
    connection.execute(update(training_run).where(training_run.c.id == run).values(is_promoted=True))


def close_abandoned(connection: Connection, reason: str) -> int:
    """Mark runs that never finished; only for the holder of `only_run`, who knows that nobody is at work."""
    statement = update(training_run).where(training_run.c.finished_at.is_(None))
    return connection.execute(statement.values(finished_at=func.clock_timestamp(), reasons=[reason])).rowcount


def newest(connection: Connection, limit: int = 20) -> list[TrainingRun]:
    """The latest runs, the newest first."""
    return _newest(connection, limit)


def _newest(connection: Connection, limit: int, *only: ColumnElement[bool]) -> list[TrainingRun]:
    columns = [training_run.c[name] for name in TrainingRun._fields]
    statement = select(*columns).where(*only).order_by(training_run.c.id.desc()).limit(limit)
    return [TrainingRun(*row) for row in connection.execute(statement)]


def get(connection: Connection, run: int) -> TrainingRun | None:
    """One run; None where there is none of this number."""
    columns = [training_run.c[name] for name in TrainingRun._fields]
    row = connection.execute(select(*columns).where(training_run.c.id == run)).first()
    return TrainingRun(*row) if row is not None else None


def last_label_seen(connection: Connection) -> int:
    """The newest label that a run which came to a verdict has learned from; 0 when there was none."""
    judged = select(func.max(training_run.c.last_label_id)).where(training_run.c.candidate.is_not(None))
    return connection.scalar(judged) or 0


def last_label_parted(connection: Connection) -> int:
    """The newest label of which it was decided whether its text joins the gold set; 0 when there was none.

    A run decides that as it starts, whatever becomes of it; before snapshots were kept, a run that came to a verdict.
    """
    parted = select(func.max(training_run.c.last_label_id)).where(
        training_run.c.snapshot_hash.is_not(None) | training_run.c.candidate.is_not(None)
    )
    return connection.scalar(parted) or 0


def last_judged(connection: Connection) -> TrainingRun | None:
    """The newest run that came to a verdict."""
    return next(iter(_newest(connection, 1, training_run.c.candidate.is_not(None))), None)


def failures_since_verdict(connection: Connection) -> tuple[int, datetime | None]:
    """How many runs since the last verdict ended without one, and when the newest of them did."""
    judged = select(func.coalesce(func.max(training_run.c.id), 0)).where(training_run.c.candidate.is_not(None))
    statement = select(func.count(), func.max(training_run.c.finished_at)).where(
        training_run.c.id > judged.scalar_subquery(), training_run.c.finished_at.is_not(None)
    )
    count, ended_at = connection.execute(statement).one()
    return count, ended_at


# SYSTEM reads whole pages, so the sample costs the same however many documents there are; REPEATABLE reads the same
# pages again as long as nothing was written.
_SAMPLE = text(f"""
    SELECT d.id, {READ_TEXT}, d.text, d.lang, d.source
    FROM document d TABLESAMPLE SYSTEM (:percent) REPEATABLE (7) ORDER BY md5(d.id) LIMIT :wanted
""")  # noqa: S608  # a constant


def sample_documents(connection: Connection, wanted: int) -> list[StoredText]:
    """About so many stored documents from all times, for replay; all of them when there are fewer."""
    total = connection.scalar(select(func.sum(opinion_minute.c.total))) or 0
    if not total:
        return []
    percent = min(100.0, 100 * 1.5 * wanted / total)  # pages differ in how many rows they hold
    return [StoredText(*row) for row in connection.execute(_SAMPLE, {"percent": percent, "wanted": wanted})]
