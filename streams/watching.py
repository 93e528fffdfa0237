"""The watchlists of a worker: read from SQL, followed there, and made ready off the batch's way.

`current` is one object until it is another: a batch asks once, so all its documents are matched by the same state.
"""

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from core.errors import UsageError
from core.logs import get_logger
from core.metrics import WATCHLISTS, WATCHLISTS_REVISION, WATCHLISTS_UNUSABLE
from core.watchlist_entries import watchlist_of
from core.watchlists import Rule, Watchlist, Watchlists
from storage import watchlists
from storage.watchlists import StoredWatchlist

log = get_logger(__name__)

POLL_SECONDS: Final = 1.0  # a look-up in an index


class WatchlistFollower:
    """Keeps up with the watchlists in SQL, in a thread of its own.

    A definition that cannot be used (somebody wrote it by SQL) is reported, and the usable one it replaced stays. A
    database that is away leaves everything as it is.
    """

    def __init__(self, engine: Engine) -> None:
        """Opens nothing yet."""
        self._engine = engine
        self._revision = 0
        self._rules: dict[str, Rule] = {}
        self._unusable: set[str] = set()
        self._current = Watchlists()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchlist-follower", daemon=True)

    def current(self) -> Watchlists:
        """What is watched now. Does not block; from any thread."""
        return self._current

    def catch_up(self) -> None:
        """Take in what has changed. Blocking; not beside the follower's own thread.

        Raises:
            sqlalchemy.exc.DBAPIError: the database is away, or older than this code.
        """
        with self._engine.connect() as connection:
            newest = watchlists.newest_revision(connection)
            if newest == self._revision:
                return
            if newest < self._revision:  # another database, or one restored from a backup
                self._revision = 0
                self._rules.clear()
                self._unusable.clear()
            changed = watchlists.changed_after(connection, self._revision)
        for row in changed:
            self._take(row)
        self._current = Watchlists.of(self._rules[name] for name in sorted(self._rules))
        self._revision = max((row.revision for row in changed), default=0)
        WATCHLISTS.set(len(self._current))
        WATCHLISTS_REVISION.set(self._revision)
        WATCHLISTS_UNUSABLE.set(len(self._unusable))
        log.info("watchlists_ready", watchlists=len(self._current), revision=self._revision, changed=len(changed))

    def start(self) -> None:
        """Follow from now on."""
        self._thread.start()

    def stop(self, timeout_seconds: float = 5) -> None:
        """Ask the thread to end and wait for it."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)

    def _take(self, row: StoredWatchlist) -> None:
        self._unusable.discard(row.name)
        if not row.is_active:
            self._rules.pop(row.name, None)
            return
        try:
            self._rules[row.name] = Rule(watchlist_of(row.name, row.definition))
        except UsageError as error:
            self._unusable.add(row.name)
            keeps = "the definition before" if row.name in self._rules else "nothing"
            log.error("watchlist_unusable", watchlist=row.name, revision=row.revision, error=str(error), keeps=keeps)

    def _run(self) -> None:
        told = ""
        while not self._stopping.wait(POLL_SECONDS):
            try:
                self.catch_up()
                told = ""
            except Exception as error:  # a worker goes on with what it has, whatever is in the database
                what = type(error).__name__
                if what != told:
                    told = what
                    log.warning("watchlist_follower_waits", error=what, detail=str(error)[:300])


def sync_file(engine: Engine, path: Path | None, entries: Iterable[Watchlist]) -> None:
    """Make a watchlist file's entries those in SQL that the file owns; without a file, whatever is there stays.

    Raises:
        ConfigError: people own a watchlist of the same name. sqlalchemy.exc.DBAPIError: the database is away.
    """
    if path is None:
        return
    with engine.begin() as connection:
        changed = watchlists.sync_file(connection, path.absolute(), entries)
    if changed:
        log.info("watchlist_file_synced", path=str(path), changed=changed)
