"""The processes under test, each kept running by a supervisor of its own, as `opinion up` or Kubernetes would."""

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx
import psutil

from core.children import free_port
from opinion.supervisor import Backoff, Program, Supervisor
from tests.support.workers import http

REPOSITORY = Path(__file__).parents[2]
GRACE_SECONDS = 25.0
BACKOFF = Backoff(first_seconds=0.5, most_seconds=5.0, stable_seconds=20.0)
OURS = "streams.app"
AGENTS = {"ours": OURS, "naive": "benchmarks.naive.agent", "one_by_one": "benchmarks.naive.one_by_one"}


class Process:
    """One supervised process that faults are applied to by its process id."""

    def __init__(self, program: Program, port: int) -> None:
        self.name = program.name
        self._program = program
        self._supervisor = Supervisor([[program]], backoff=BACKOFF)
        self._port = port

    def start(self) -> None:
        self._supervisor.start()

    def tick(self) -> None:
        self._supervisor.tick()

    def stop(self) -> None:
        """As a supervisor does: SIGTERM, and SIGKILL after the grace period."""
        self.signal(signal.SIGCONT)
        self._supervisor.stop()

    @property
    def pid(self) -> int | None:
        return self._program.pid if self._program.is_running else None

    def signal(self, number: signal.Signals) -> None:
        """Does nothing when the process is just not there."""
        if self.pid is not None:
            os.kill(self.pid, number)

    def is_ready(self) -> bool:
        """What its readiness probe says."""
        if self.pid is None:
            return False
        try:
            return http().get(f"http://127.0.0.1:{self._port}/readyz", timeout=1).is_success
        except httpx.HTTPError:
            return False


class Fleet:
    """Workers and schedulers. Everything is called from the main thread (see `core.children.spawn`)."""

    def __init__(self, folder: Path, environment: Mapping[str, str], *, app: str = OURS) -> None:
        self._folder = folder
        # Without bytecode every start would compile torch and transformers anew.
        self._environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", **environment}
        self._app = app
        self._numbers: dict[str, int] = {}
        self.switch = folder / "switch.json"
        self.workers: list[Process] = []
        self.schedulers: list[Process] = []

    def add_worker(self) -> Process:
        argv = ["-m", "tests.chaos.faulty_worker", "-A", self._app, "worker", "-l", "warn"]
        return self._add(self.workers, "worker", argv, {"CHAOS_SWITCH": str(self.switch)})

    def add_scheduler(self) -> Process:
        return self._add(self.schedulers, "scheduler", ["-P", "-m", "opinion.cli", "scheduler"], {})

    def remove_worker(self, worker: Process) -> None:
        self.workers.remove(worker)
        worker.stop()

    def tick(self) -> None:
        """Restart what has ended."""
        for process in (*self.workers, *self.schedulers):
            process.tick()

    def stop(self) -> None:
        for process in (*self.schedulers, *self.workers):
            process.stop()

    def resident_megabytes(self) -> dict[str, float]:
        """Of each living process, by its name."""
        found = {}
        for process in (*self.workers, *self.schedulers):
            try:
                if process.pid:
                    found[process.name] = psutil.Process(process.pid).memory_info().rss / 1e6
            except psutil.NoSuchProcess:
                continue
        return found

    def _add(self, group: list[Process], role: str, argv: list[str], own: Mapping[str, str]) -> Process:
        self._numbers[role] = number = self._numbers.get(role, 0) + 1
        name, port = f"{role}-{number}", free_port()
        environment = {**self._environment, **own, f"OPINION_{role.upper()}__PROBES_PORT": str(port)}
        program = Program(
            name,
            [sys.executable, *argv],
            log_path=self._folder / f"{name}.log",
            env={**environment, "PYTHONPATH": str(REPOSITORY)},
            grace_seconds=GRACE_SECONDS,
        )
        process = Process(program, port)
        group.append(process)
        process.start()
        return process
