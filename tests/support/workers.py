"""Real worker processes, as their supervisor starts them."""

import functools
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx
from kafka import KafkaProducer
from sqlalchemy import Engine, text

from core.children import free_port
from tests.support.waiting import wait_for

REPOSITORY = Path(__file__).parents[2]

# A worker imports torch and transformers; to compile them anew each time would cost 8 s of CPU.
KEEP_BYTECODE = {"PYTHONDONTWRITEBYTECODE": ""}


@functools.cache
def http() -> httpx.Client:
    """One for all probes: each new client would read the system's certificates, a tenth of a second of CPU."""
    return httpx.Client(timeout=2, trust_env=False)


class WorkerProcess:
    """`faust -A streams.app worker` in a process of its own; its log is kept beside the test's other files."""

    def __init__(
        self, home: Path, environment: dict[str, str], app: str = "streams.app", faust: str = "faust"
    ) -> None:
        """Start the worker of another module's `app`, or with another module in the place of Faust's own."""
        self.port = free_port()
        self.log = home / f"worker-{self.port}.log"
        self._out = self.log.open("wb")
        own = {"OPINION_HOME": str(home), "OPINION_WORKER__PROBES_PORT": str(self.port)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", faust, "-A", app, "worker", "-l", "warn"],
            cwd=REPOSITORY,
            env={**os.environ, **KEEP_BYTECODE, **environment, **own},
            stdout=self._out,
            stderr=subprocess.STDOUT,
        )

    def wait_until_ready(self) -> None:
        wait_for(lambda: self.process.poll() is not None or self.is_ready(), 120, f"worker ready; log: {self.log}")
        assert self.process.poll() is None, self.log.read_text()[-3000:]

    def is_ready(self) -> bool:
        return http().get(f"http://127.0.0.1:{self.port}/readyz").status_code == 200

    def reasons(self) -> dict[str, str]:
        """Why it is not ready, by check; empty when it is."""
        answer = http().get(f"http://127.0.0.1:{self.port}/readyz")
        return dict(answer.json()["reasons"])

    def metrics(self) -> str:
        return http().get(f"http://127.0.0.1:{self.port}/metrics").text

    def kill(self) -> None:
        """`kill -9`."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM, as a supervisor does; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                self.kill()
        self._out.close()
        return self.process.returncode


def produce(bootstrap: str, topic: str, values: Sequence[tuple[bytes | None, bytes | None]]) -> None:
    """Key and value of each record, acknowledged by the broker."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=10, max_request_size=8_000_000)
    for key, value in values:
        producer.send(topic, key=key, value=value)
    producer.flush()
    producer.close()


def settled(engine: Engine) -> int:
    """Offsets that the ledger has settled, each once."""
    with engine.connect() as connection:
        lines = connection.execute(text("SELECT partition, first_offset, last_offset FROM offset_ledger")).all()
    return len({(line.partition, o) for line in lines for o in range(line.first_offset, line.last_offset + 1)})
