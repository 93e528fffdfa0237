"""What annotators say of the same texts, worked out anew only when somebody has said something since."""

import threading
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from storage import human_labels
from storage.adjudication import Conflict, conflicts
from storage.agreement import Pair, Together, agreement


@dataclass(frozen=True, slots=True)
class Standing:
    """As of the row with this id.

    Attributes:
        open: what waits for somebody to settle it.
    """

    newest_id: int
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
        newest = human_labels.newest_id(connection)
        with self._lock:
            if self._kept is None or self._kept.newest_id != newest:
                rows = list(human_labels.rows(connection))
                self._kept = Standing(newest, conflicts(rows), *agreement(rows))
            return self._kept
