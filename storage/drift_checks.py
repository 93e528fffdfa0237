"""What checks for drift found: written once, read for charts, for people, and for the decision to train."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, func, insert, select

from storage.tables import drift_check, human_label, training_run

CHECKS_READ: Final = 40  # the decision looks back no further


class DriftRow(NamedTuple):
    """One figure of a check; see the comments of `bi.model_drift`."""

    checked_at: datetime
    model_version: str
    slice_kind: str
    slice_value: str
    measure: str
    effect: float
    threshold: float
    is_drifted: bool
    reference_from: datetime
    reference_until: datetime
    reference_documents: int
    current_from: datetime
    current_until: datetime
    current_documents: int
    detail: dict[str, Any]


_COLUMNS: Final = [drift_check.c[name] for name in DriftRow._fields]


def add(connection: Connection, rows: Sequence[DriftRow]) -> None:
    """Keep a check; `is_drifted` is computed by the database."""
    if rows:
        given = [{name: value for name, value in row._asdict().items() if name != "is_drifted"} for row in rows]
        connection.execute(insert(drift_check), given)


def newest(connection: Connection) -> list[DriftRow]:
    """The figures of the newest check, of all documents first; empty before the first."""
    last = select(func.max(drift_check.c.checked_at)).scalar_subquery()
    order = (drift_check.c.slice_kind != "all", drift_check.c.slice_kind, drift_check.c.slice_value, drift_check.c.id)
    found = connection.execute(select(*_COLUMNS).where(drift_check.c.checked_at == last).order_by(*order))
    return [DriftRow(*row) for row in found]


def of_everything(connection: Connection, version: str, checks: int = CHECKS_READ) -> list[DriftRow]:
    """The figures over all documents of the latest checks of a model, the newest first."""
    times = (
        select(drift_check.c.checked_at)
        .where(drift_check.c.model_version == version, drift_check.c.slice_kind == "all")
        .distinct()
        .order_by(drift_check.c.checked_at.desc())
        .limit(checks)
    )
    found = connection.execute(
        select(*_COLUMNS)
        .where(drift_check.c.checked_at.in_(times), drift_check.c.slice_kind == "all")
        .order_by(drift_check.c.checked_at.desc(), drift_check.c.id)
    )
    return [DriftRow(*row) for row in found]


def labels_since(connection: Connection, since: datetime, after_id: int) -> int:
    """Texts that people have labelled since a time and that no run has learned from."""
    texts = select(func.count(func.distinct(human_label.c.text))).where(
        human_label.c.recorded_at >= since, human_label.c.id > after_id
    )
    return int(connection.scalar(texts) or 0)


def last_label_of(connection: Connection, version: str) -> int:
    """The newest label that a model may have been trained on, by its run; 0 for one that no run made."""
    seen = select(func.max(training_run.c.last_label_id)).where(training_run.c.candidate == version)
    return int(connection.scalar(seen) or 0)


def last_run_at(connection: Connection) -> datetime | None:
    """When the latest training run began, however it ended."""
    found: datetime | None = connection.scalar(select(func.max(training_run.c.started_at)))
    return found
