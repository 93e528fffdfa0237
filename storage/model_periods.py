"""Who was champion when."""

from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, text

from storage.series import Span


class Period(NamedTuple):
    """One stretch of being champion; `live_until` is None for the present one."""

    version: str
    live_from: datetime
    live_until: datetime | None
    promoted_by: str
    reason: str


_OF_VERSION: Final = text(
    "SELECT version, live_from, live_until, promoted_by, reason FROM bi.model_period "
    "WHERE version = :version ORDER BY live_from"
)


def periods_of(connection: Connection, version: str) -> list[Period]:
    """When a version was champion, the oldest first."""
    return [Period(*row) for row in connection.execute(_OF_VERSION, {"version": version})]


_BEGUN: Final = text(
    "SELECT version, live_from, live_until, promoted_by, reason FROM bi.model_period "
    "WHERE live_from >= :start AND live_from < :end ORDER BY live_from"
)


def begun(connection: Connection, span: Span) -> list[Period]:
    """Which began in this span, the oldest first."""
    return [Period(*row) for row in connection.execute(_BEGUN, {"start": span.start, "end": span.end})]
