"""Backfills that the console starts: `opinion watch backfill`, each a process of its own, one after the other."""

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from queue import SimpleQueue
from typing import Final

from core import children
from core.logs import get_logger
from web.backfills import BackfillRun

PROGRAM: Final = (sys.executable, "-m", "opinion.cli", "watch", "backfill")
NICENESS: Final = 10  # workers and readers come first
MOST_SAID: Final = 500  # characters of what it printed last
STOP_SECONDS: Final = 5.0

log = get_logger(__name__)


class BackfillRuns:
    """A queue and the thread that works it off; `close` ends both. What is broken off goes on at the next start."""

    def __init__(self, program: Sequence[str] = PROGRAM) -> None:
        """Args:
        program: takes `--since` and the name of a watchlist.
        """
        self._program = program
        self._wanted = SimpleQueue[str | None]()
        self._runs: dict[str, BackfillRun] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="backfills", daemon=True)
        self._thread.start()

    def start(self, name: str, since: datetime | None) -> None:
        """See `web.backfills.Backfills`."""
        with self._lock:
            known = self._runs.get(name)
            if known is not None and known.state in ("waits", "runs"):
                return
            self._runs[name] = BackfillRun("waits", since)
        self._wanted.put(name)

    def of(self, name: str) -> BackfillRun | None:
        """See `web.backfills.Backfills`."""
        with self._lock:
            return self._runs.get(name)

    def close(self) -> None:
        """End what is at work and wait for it."""
        self._closing.set()
        self._wanted.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (name := self._wanted.get()) is not None and not self._closing.is_set():
            run = self._set(name, state="runs")
            code, said = self._run(name, run.since)
            self._set(name, state="failed" if code else "done", said=said)
            log.info("backfill_ended", watchlist=name, code=code)

    def _set(self, name: str, **changes: str) -> BackfillRun:
        with self._lock:
            self._runs[name] = replace(self._runs[name], **changes)  # type: ignore[arg-type]
            return self._runs[name]

    def _run(self, name: str, since: datetime | None) -> tuple[int, str]:
        """Exit code, and what was printed last."""
        span = ["--since", since.isoformat()] if since else []
        child = children.spawn(
            ["nice", "-n", str(NICENESS), *self._program, *span, "--", name], stdout=subprocess.PIPE, env=os.environ
        )
        watcher = threading.Thread(target=self._end_on_close, args=(child,), daemon=True)
        watcher.start()
        assert child.stdout is not None  # noqa: S101  # it is a pipe
        said = b""
        for line in child.stdout:
            said = line.strip() or said
        child.stdout.close()
        return child.wait(), said.decode("utf-8", "replace")[-MOST_SAID:]

    def _end_on_close(self, child: "subprocess.Popen[bytes]") -> None:
        while child.poll() is None:
            if self._closing.wait(0.2):
                children.stop(child, grace_seconds=STOP_SECONDS)
