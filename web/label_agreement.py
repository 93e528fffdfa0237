"""What annotators say of the same texts, worked out anew only when somebody has said something since."""

import threading
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection

from storage import human_labels
from storage.adjudication import Conflict, conflicts
from storage.agreement import Pair, Together, agreement


@dataclass(frozen=True, slots=True)
class Standing:
    """As of these rows (`storage.human_labels.extent`).

    Attributes:
        open: what waits for somebody to settle it.
    """

    extent: tuple[int, int]
    open: list[Conflict]
    together: list[Together]
    pairs: list[Pair]


class LabelAgreement:
    """Keeps the newest; every answer that there is has to be read for it, in constant memory but not in no time."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._kept: Standing | None = None

    def at(self, connection: Connection) -> Standing:
        """By all answers that stand."""
        extent = human_labels.extent(connection)
        with self._lock:
            if self._kept is None or self._kept.extent != extent:
                rows = list(human_labels.rows(connection))
                self._kept = Standing(extent, conflicts(rows), *agreement(rows))
            return self._kept

    def settled(self, connection: Connection, before: Standing, conflict: Conflict) -> None:
        """This one was settled in this transaction: where nothing else was said since, no more is to be worked out.

        Rulings do not count as agreement. A transaction that is rolled back leaves an extent that no table has.
        """
        extent = human_labels.extent(connection)
        with self._lock:
            if self._kept is before and extent[1] == before.extent[1] + 1:
                left = [one for one in before.open if one is not conflict]
                self._kept = replace(before, extent=extent, open=left)
