"""Patience: a step whose dependency is away is repeated until it is back; nothing is dropped meanwhile."""

import os
import time
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeVar

import stamina

from core.logs import get_logger
from core.metrics import RETRIES, WAITING

log = get_logger(__name__)
Result = TypeVar("Result")

EXIT_REDO = 70
"""The exit code of a worker that leaves without acknowledging: its supervisor restarts it, the work is redone."""


def leave(reason: str) -> NoReturn:
    """End the process at once, acknowledging nothing. Records in hand are read again after the restart."""
    log.error("worker_leaves", reason=reason, exit_code=EXIT_REDO)
    os._exit(EXIT_REDO)


class Patience:
    """Repeats a step with jittered back-off, at most 5 s apart, for as long as it takes.

    Several steps may run at the same time, each of them once.
    """

    def __init__(self, should_stop: Callable[[], bool], monotonic: Callable[[], float] = time.monotonic) -> None:
        """Args:
        should_stop: asked between attempts; a worker told to stop while a dependency is away leaves unacknowledged.
        """
        self._should_stop = should_stop
        self._monotonic = monotonic
        self._attempts: dict[str, float] = {}
        self._held: dict[str, float] = {}

    @property
    def holding(self) -> str | None:
        """A step that is being repeated now, if there is one; the watchdog does not count such time as a stall."""
        return next(iter(self._held.copy()), None)

    def is_hanging(self, step: str, seconds: float) -> bool:
        """Whether an attempt at the step has neither succeeded nor failed for so long. From any thread."""
        since = self._attempts.get(step)
        return since is not None and self._monotonic() - since >= seconds

    async def run(
        self,
        step: str,
        is_transient: Callable[[Exception], bool],
        work: Callable[[], Awaitable[Result]],
    ) -> Result:
        """The result of `work`, however long its dependency is away. Errors that are not transient come through."""
        last_error = ""

        def should_repeat(error: Exception) -> bool:
            nonlocal last_error
            if not is_transient(error):
                return False
            if self._should_stop():
                leave(f"told to stop while {step} waits for its dependency")
            RETRIES.labels(step).inc()
            self._hold(step)
            if type(error).__name__ != last_error:
                last_error = type(error).__name__
                log.warning("step_waits", step=step, error=last_error, detail=str(error)[:300])
            return True

        try:
            async for attempt in stamina.retry_context(
                on=should_repeat, attempts=None, timeout=None, wait_initial=0.2, wait_max=5.0, wait_jitter=1.0
            ):
                with attempt:
                    self._attempts[step] = self._monotonic()
                    return await work()
        finally:
            self._attempts.pop(step, None)
            if self._held.pop(step, None) is not None:
                log.info("step_goes_on", step=step)
                WAITING.labels(step).set_function(float)
        raise AssertionError("stamina gives up only by raising")

    def _hold(self, step: str) -> None:
        if step not in self._held:
            since = self._held[step] = self._monotonic()
            WAITING.labels(step).set_function(lambda: self._monotonic() - since)
