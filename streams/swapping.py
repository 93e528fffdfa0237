"""A worker's way to the champion: load what was announced, off the batches' way, and say which model is in use.

A model that cannot be loaded is tried again until it can, or until another is announced: its folder may still be on
its way. Meanwhile the worker goes on with the one it has, and says so in its metrics and in SQL.
"""

import atexit
import ctypes
import gc
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from core.logs import get_logger
from core.metrics import MODEL_NOT_LOADED
from core.records import ModelAnnouncement
from storage import worker_models
from streams.classify import ClassifyStep

log = get_logger(__name__)

RETRY_SECONDS: Final = 15.0
REPORT_SECONDS: Final = 15.0
LOOK_SECONDS: Final = 1.0
TURN_SECONDS: Final = 0.0002


class ModelSwapper:
    """Takes announcements and carries them out in a thread of its own; of several that wait, only the newest."""

    def __init__(
        self,
        classify: ClassifyStep,
        engine: Engine,
        *,
        worker: str | None = None,
        retry_seconds: float = RETRY_SECONDS,
        give_back_memory: Callable[[], None] | None = None,
    ) -> None:
        """Args:
        engine: where it says which model is in use; a database that is away is tried again.
        worker: its name there; host and process id if absent.
        """
        self.worker = worker or f"{socket.gethostname()}:{os.getpid()}"
        self._classify = classify
        self._engine = engine
        self._retry_seconds = retry_seconds
        self._give_back_memory = give_back_memory or trim_memory
        self._wanted: ModelAnnouncement | None = None
        self._is_new = False
        self._error: str | None = None
        self._said: object = None
        self._used = classify.version
        self._changed = threading.Condition()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="model-swapper", daemon=True)

    def announced(self, announcement: ModelAnnouncement) -> None:
        """Use this one; returns at once."""
        with self._changed:
            self._wanted, self._is_new = announcement, True
            self._changed.notify()

    def start(self) -> None:
        """Returns at once."""
        self._thread.start()

    def stop(self, timeout_seconds: float = 1) -> None:
        """Ask the thread to end, and wait for it unless it is loading."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)

    def _run(self) -> None:
        tries = reports = 0.0  # seconds until the next
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_new or self._is_stopping, LOOK_SECONDS)
                if self._is_stopping:
                    return
                wanted, is_new, self._is_new = self._wanted, self._is_new, False
            tries -= LOOK_SECONDS
            reports -= LOOK_SECONDS
            if wanted is not None and (is_new or (self._error is not None and tries <= 0)):
                with short_turns():
                    self._error = self._classify.prepare(wanted.version, wanted.path)
                tries = self._retry_seconds
            self._free()
            version = self._classify.version
            state = (version, wanted.version if wanted else version, self._error)
            MODEL_NOT_LOADED.set(self._error is not None)
            if state != self._said or reports <= 0:
                reports = REPORT_SECONDS
                self._report(*state)

    def _free(self) -> None:
        """After a swap the old model is gone, but not yet the memory that loading the new one took."""
        if self._classify.version != self._used:
            self._used = self._classify.version
            self._give_back_memory()

    def _report(self, version: str, wanted: str, error: str | None) -> None:
        try:
            with self._engine.begin() as connection:
                worker_models.report(connection, self.worker, version=version, wanted=wanted, error=error)
        except SQLAlchemyError as failure:
            log.info("worker_model_not_reported", error=type(failure).__name__)
        else:
            self._said = (version, wanted, error)


@contextmanager
def short_turns() -> Iterator[None]:
    """While this thread loads, the one that computes a batch has to wait for its turn at each of hundreds of
    operations: Python gives it the usual 5 ms each time, which would make a batch of seconds out of one of tenths."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(TURN_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def settle_objects() -> None:
    """Take what there is now out of the sight of the garbage collector; a worker calls this once, when it is ready.

    Loading a model makes objects by the hundred thousand, so that full collections run, and each holds up every
    thread while it looks at all that the libraries have made: 1.4 s, against 0.1 s without (starter, a busy machine).
    """
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)  # libraries complain at the end of what was not collected


def trim_memory() -> None:
    """Ask glibc to give free memory back to the system; elsewhere nothing. Takes milliseconds."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)
