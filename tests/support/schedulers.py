"""Real scheduler processes, as their supervisor starts them."""

import os
import re
import signal
import subprocess
import sys
from itertools import count
from pathlib import Path

import httpx

from tests.support.waiting import wait_for
from tests.support.workers import http

REPOSITORY = Path(__file__).parents[2]
_NUMBER = count(1)


class SchedulerProcess:
    """`opinion scheduler` in a process of its own; its log is kept beside the test's other files."""

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self.log = home / f"scheduler-{next(_NUMBER)}.log"
        own = {"OPINION_HOME": str(home), "OPINION_LOG_FORMAT": "json"}
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "opinion.cli", "scheduler"],
                cwd=REPOSITORY,
                env={**os.environ, **environment, **own},
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def wait_until_ready(self) -> None:
        """Active or standing by."""
        wait_for(
            lambda: self.process.poll() is not None or self._get("/readyz"),
            120,
            f"the scheduler to be ready; log: {self.log}",
        )
        assert self.process.poll() is None, self.log.read_text()[-3000:]

    def is_active(self) -> bool:
        """Whether it says that it holds the lease."""
        return "opinion_scheduler_is_active 1.0" in (self._get("/metrics") or "")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """`kill -9`; ends a stopped process, too."""
        self.process.kill()
        self.process.wait()

    def _get(self, path: str) -> str | None:
        """None: it does not answer, or not with 200."""
        port = re.search(r'"probes_port": (\d+)', self.log.read_text())
        if port is None:
            return None
        try:
            answer = http().get(f"http://127.0.0.1:{port[1]}{path}", timeout=2)
        except httpx.HTTPError:
            return None
        return answer.text if answer.status_code == 200 else None
