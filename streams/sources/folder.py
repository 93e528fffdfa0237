"""Documents out of the files that others put into a folder.

    FOLDER/news.csv ──complete?──▶ FOLDER/.reading/news.csv ──on the topic──▶ FOLDER/done/news.csv
                                                            └─bad lines─────▶ FOLDER/failed/news.csv + .reasons.jsonl

A file is moved on only when the broker has all of it. Whoever is killed before that finds it in `.reading` at the
next start and reads it again; documents that are on the topic already have no effect. Nothing but plain files is
touched: symbolic links are never followed, wherever they lead.
"""

import os
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Final, Self

from filelock import FileLock, Timeout

from core.errors import UsageError
from core.logs import get_logger
from streams.sources.rejects import Rejects

log = get_logger(__name__)

READING: Final = ".reading"
DONE: Final = "done"
FAILED: Final = "failed"
REASONS: Final = ".reasons.jsonl"
UNFINISHED: Final = (".tmp", ".part", ".partial", ".crdownload", ".swp", "~")

Look = tuple[int, int]
"""Size and time of change of a file."""

Take = Callable[[Path, Rejects], None]
"""Puts a file's documents onto the topic, and its bad lines into the rejects; returns when the broker has them."""


class Folder:
    """One folder that is followed, by one process at a time. Use as a context manager."""

    def __init__(self, path: Path, settle_seconds: float) -> None:
        """Args:
        settle_seconds: a file that has not changed for so long is complete.
        """
        self._path = path
        self._settle_seconds = settle_seconds
        self._looks: dict[str, tuple[Look, float]] = {}
        self._lock: FileLock | None = None

    def __enter__(self) -> Self:
        """Raises UsageError: it is no folder, its subfolders are links, or another process follows it."""
        if not self._path.is_dir():
            raise UsageError(f"no such folder: {self._path}")
        for name in (READING, DONE, FAILED):
            folder = self._path / name
            if folder.is_symlink():
                raise UsageError(f"{folder} is a link; what was read would leave the folder", remedy="remove it")
            folder.mkdir(exist_ok=True)
        lock = FileLock(self._path / READING / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise UsageError(f"{self._path} is followed by another process") from None
        self._lock = lock
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            self._lock.release()

    def work(self, take: Take, now: float) -> int:
        """Read whatever is complete; returns how many files that were.

        Args:
            now: of any clock that only goes on, in seconds.

        Raises:
            DependencyNotReadyError: as `take` does; the file is read again by the next call.
        """
        files = 0
        for path in chain(self._left_over(), self._claimed(now)):  # what is left over first, and one by one
            self._read(path, take)
            files += 1
        return files

    def _left_over(self) -> Iterator[Path]:
        """What an earlier call or process has begun to read."""
        for path in sorted((self._path / READING).iterdir()):
            if path.name != ".lock":
                yield path

    def _claimed(self, now: float) -> Iterator[Path]:
        """Complete files, moved out of reach of those who put them there."""
        seen: dict[str, tuple[Look, float]] = {}
        for entry in sorted(os.scandir(self._path), key=lambda one: one.name):
            if entry.name.startswith(".") or entry.name.lower().endswith(UNFINISHED):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:  # it has gone
                continue
            if not stat.S_ISREG(status.st_mode):
                continue
            look = (status.st_size, status.st_mtime_ns)
            before, since = self._looks.get(entry.name, (None, now))
            if before != look:
                since = now
            if before == look and now - since >= self._settle_seconds:
                claimed = self._path / READING / entry.name
                try:
                    Path(entry.path).rename(claimed)
                except OSError as error:
                    log.warning("file_not_taken", file=entry.name, reason=str(error))
                else:
                    yield claimed
                    continue
            seen[entry.name] = (look, since)
        self._looks = seen

    def _read(self, path: Path, take: Take) -> None:
        reasons = self._path / FAILED / f".{path.name}{REASONS}"
        if not stat.S_ISREG(path.lstat().st_mode):  # it was one when it was looked at
            self._move(path, FAILED)
            log.warning("file_failed", file=path.name, reason="not a plain file")
            return
        with Rejects(reasons) as rejects:
            take(path, rejects)
        moved = self._move(path, FAILED if rejects.count else DONE)
        if rejects.count:
            reasons.rename(moved.with_name(moved.name + REASONS))
        log.info("file_read", file=path.name, bad_lines=rejects.count, moved_to=str(moved))

    def _move(self, path: Path, folder: str) -> Path:
        """Under its own name, or with the time where that is taken."""
        target = self._path / folder / path.name
        if os.path.lexists(target):
            stem, dot, rest = path.name.partition(".")
            target = target.with_name(f"{stem}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}{dot}{rest}")
        return path.rename(target)
