"""Keeps services running: starts them in order, restarts those that end, stops them in reverse.

A service is anything with a name that can be started and stopped, such as `Program` or an embedded server.
"""

import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from core import children
from core.errors import OpinionError
from core.logs import get_logger

log = get_logger(__name__)

TICK_SECONDS = 0.25
PROBE_SECONDS = 15.0  # between two questions to a server; one costs 30 ms, or 3 s when it does not answer
SILENT_SECONDS = 60.0  # a server that answers nobody for so long will not come back by itself


class Service(Protocol):
    """What the supervisor keeps running."""

    name: str
    log_path: Path

    @property
    def is_running(self) -> bool:
        """Whether it runs now; must not block."""
        ...

    def start(self) -> object:
        """Start it; returns when it runs. Raises OpinionError or OSError when it cannot."""
        ...

    def stop(self) -> None:
        """Stop it and return when it has ended; does nothing when it does not run. Called from any thread."""
        ...


@runtime_checkable
class Server(Service, Protocol):
    """A service that can be asked whether it is alive, beyond the life of its process."""

    def is_answering(self) -> bool:
        """Whether it answers now, be it with a refusal; blocks for a few seconds at most."""
        ...


class Program:
    """A child process that writes to a log file of its own; see `core.children.spawn` for its ties to us."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        log_path: Path,
        env: Mapping[str, str] | None = None,
        grace_seconds: float = 25.0,
    ) -> None:
        """Args:
        env: the whole environment; ours if absent.
        grace_seconds: between SIGTERM and SIGKILL; longer than the longest batch of a worker.
        """
        self.name = name
        self.log_path = log_path
        self._argv = argv
        self._env = env
        self._grace_seconds = grace_seconds
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        with children.open_log(self.log_path) as output:
            self._process = children.spawn(self._argv, stdout=output, env=self._env)

    def stop(self) -> None:
        if self._process and not children.stop(self._process, grace_seconds=self._grace_seconds):
            log.warning("service_killed", service=self.name, grace_seconds=self._grace_seconds)


@dataclass(frozen=True)
class Backoff:
    """How long an ended service waits: doubling from `first_seconds` to `most_seconds`, anew after a stable run."""

    first_seconds: float = 0.5
    most_seconds: float = 30.0
    stable_seconds: float = 60.0

    def delay(self, restarts: int) -> float:
        """Seconds before the restart that follows `restarts` earlier ones."""
        return min(self.most_seconds, self.first_seconds * 2.0 ** min(restarts, 30))


@dataclass
class _Watch:
    service: Service
    restarts: int = 0
    started_at: float = 0.0
    due_at: float | None = None
    probe_at: float = 0.0
    silent_since: float | None = None


class Supervisor:
    """Call `start`, then `tick` a few times a second, and `stop` at the end; all from the main thread."""

    def __init__(
        self,
        stages: Sequence[Sequence[Service]],
        *,
        backoff: Backoff = Backoff(),
        silent_seconds: float = SILENT_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Args:
        silent_seconds: so long a server may leave questions unanswered before it is restarted.
        stages: started from first to last, stopped from last to first; those of one stage stop side by side.
        """
        self._stages = stages
        self._watches = [_Watch(service) for stage in stages for service in stage]
        self._backoff = backoff
        self._silent_seconds = silent_seconds
        self._monotonic = monotonic

    def start(self) -> None:
        """Start everything that does not run yet. What a service raises ends the start; `stop` the rest then."""
        for watch in self._watches:
            if not watch.service.is_running:
                watch.service.start()
                watch.started_at = self._monotonic()

    def tick(self) -> None:
        """Restart what has ended and waited long enough, or hangs. Blocks while a service starts."""
        for watch in self._watches:
            if watch.service.is_running:
                self._probe(watch)
            elif watch.due_at is None:
                self._schedule(watch)
            elif self._monotonic() >= watch.due_at:
                self._restart(watch)

    def stop(self) -> None:
        """Stop everything; one that fails to stop does not spare the others."""
        for stage in reversed(self._stages):
            if not stage:
                continue
            with ThreadPoolExecutor(len(stage)) as pool:
                for service, stopping in [(service, pool.submit(service.stop)) for service in stage]:
                    if error := stopping.exception():
                        log.error("service_not_stopped", service=service.name, error=str(error))

    def _probe(self, watch: _Watch) -> None:
        """End a server that runs but has not answered for long, as one that is frozen; the next tick restarts it."""
        service, now = watch.service, self._monotonic()
        if not isinstance(service, Server) or now < watch.probe_at:
            return
        watch.probe_at = now + min(PROBE_SECONDS, self._silent_seconds)
        if service.is_answering():
            watch.silent_since = None
        elif watch.silent_since is None:
            watch.silent_since = now
        elif now - watch.silent_since >= self._silent_seconds:
            log.error("service_hangs", service=service.name, silent_seconds=round(now - watch.silent_since))
            watch.silent_since = None
            service.stop()

    def _schedule(self, watch: _Watch) -> None:
        now = self._monotonic()
        if now - watch.started_at >= self._backoff.stable_seconds:
            watch.restarts = 0
        delay = self._backoff.delay(watch.restarts)
        watch.due_at = now + delay
        log.warning(
            "service_ended", service=watch.service.name, restart_in_seconds=delay, log=str(watch.service.log_path)
        )

    def _restart(self, watch: _Watch) -> None:
        watch.restarts += 1
        watch.due_at = None
        try:
            watch.service.start()
        except (OpinionError, OSError) as error:
            log.error("service_not_started", service=watch.service.name, error=str(error))
        else:
            log.info("service_restarted", service=watch.service.name, restarts=watch.restarts)
        watch.started_at = self._monotonic()


# What ends a supervising command, like Ctrl-C does. A shell starts background jobs with SIGINT turned off.
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def interrupt_on(*signals: signal.Signals) -> None:
    """Let these signals end the main thread like Ctrl-C does; a SIGHUP that `nohup` turned off stays off."""
    for number in signals:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)


def ignore(*signals: signal.Signals) -> None:
    """Let these signals do nothing from now on."""
    for number in signals:
        signal.signal(number, signal.SIG_IGN)


def _interrupt(number: int, _frame: object) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)
