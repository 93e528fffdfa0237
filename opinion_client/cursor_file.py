"""A cursor that outlives the program."""

import os
import time
from pathlib import Path

KEEP_EVERY_SECONDS = 1.0


class CursorFile:
    """Written at most once a second, and whole or not at all. Without a path nothing is kept."""

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self._path = Path(path) if path is not None else None
        self._kept = self.read()
        self._kept_at = 0.0

    def read(self) -> str:
        """What was kept; empty if nothing was."""
        if self._path is None or not self._path.exists():
            return ""
        return self._path.read_text(encoding="ascii").strip()

    def keep(self, cursor: str, *, is_last: bool = False) -> None:
        """The program has done all up to here."""
        if self._path is None or not cursor or cursor == self._kept:
            return
        now = time.monotonic()
        if not is_last and now - self._kept_at < KEEP_EVERY_SECONDS:
            return
        beside = self._path.with_name(self._path.name + ".new")
        beside.write_text(cursor + "\n", encoding="ascii")
        beside.replace(self._path)
        self._kept, self._kept_at = cursor, now
