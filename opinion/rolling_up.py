"""The scheduler's job that rolls minute counts up to hours and days, beside the running system."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from sqlalchemy import Engine

from core.logs import get_logger
from core.metrics import ROLL_UP_WAITING
from storage import rollups
from storage.advisory_locks import hold

log = get_logger(__name__)

EVERY: Final = timedelta(seconds=10)  # while an hour waits, every query sums its minutes
SECONDS: Final = 20.0  # what an upgrade or an import left takes several runs
ROLL_UP_LOCK: Final = 0x6F70_7275  # "opru"

ShouldStop = Callable[[], bool]


class RollUpJob:
    """Rolls up what has changed and then rested, hours first, until nothing is left or the time is up."""

    def __init__(self, engine: Engine, quiet: timedelta = rollups.QUIET) -> None:
        """Args:
        quiet: an hour that changed so recently is left alone.
        """
        self._engine = engine.execution_options(isolation_level="REPEATABLE READ")
        self._quiet = quiet

    def __call__(self, should_stop: ShouldStop) -> None:
        """Raises SQLAlchemyError when the database is away: what is not rolled up is read from the minutes."""
        with hold(self._engine, ROLL_UP_LOCK) as is_ours:
            if not is_ours:
                return
            self._thin()
            deadline = time.monotonic() + SECONDS
            for roll_up in rollups.ROLL_UPS:
                for fold in (self._fold_hours, self._fold_days):
                    while not should_stop() and time.monotonic() < deadline and fold(roll_up):
                        pass
            with self._engine.connect() as connection:
                ROLL_UP_WAITING.set(rollups.waiting(connection))

    def _fold_hours(self, roll_up: rollups.RollUp) -> int:
        with self._engine.begin() as connection:
            return rollups.fold_hours(connection, roll_up, self._quiet)

    def _fold_days(self, roll_up: rollups.RollUp) -> int:
        with self._engine.begin() as connection:
            return rollups.fold_days(connection, roll_up)

    def _thin(self) -> None:
        with self._engine.begin() as connection:
            rollups.thin_marks(connection)
