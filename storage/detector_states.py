"""What the detector has learned, and how far: cursors live in SQL, so that nothing is lost or judged twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, text
from sqlalchemy.dialects.postgresql import insert

from storage.tables import detector_state

DETECT_LOCK = 0x0D37EC7  # advisory lock of the transaction that judges; any constant unique to this product


@dataclass(frozen=True, slots=True)
class StoredState:
    """The state of one series at the end of the last learned bucket."""

    cursor_at: datetime
    state: dict[str, Any]


def lock(connection: Connection) -> None:
    """Let only one transaction judge at a time; held until it ends."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": DETECT_LOCK})


def load(connection: Connection, series: Sequence[str]) -> dict[str, StoredState]:
    """The states of these series; unknown ones are left out."""
    rows = connection.execute(
        select(detector_state.c.series, detector_state.c.cursor_at, detector_state.c.state).where(
            detector_state.c.series.in_(series)
        )
    )
    return {row.series: StoredState(row.cursor_at, row.state) for row in rows}


def save(connection: Connection, cursor_at: datetime, states: Mapping[str, dict[str, Any]]) -> None:
    """Replace the states of these series, all at the same cursor."""
    if not states:
        return
    rows = [{"series": name, "cursor_at": cursor_at, "state": state} for name, state in sorted(states.items())]
    statement = insert(detector_state)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[detector_state.c.series],
            set_={
                "cursor_at": statement.excluded.cursor_at,
                "state": statement.excluded.state,
                "updated_at": func.now(),
            },
        ),
        rows,
    )
