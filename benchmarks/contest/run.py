"""One contestant at work: documents in, and when each was committed as a row."""

import random
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import psutil
import psycopg
from kafka import KafkaProducer

from benchmarks.contest.contestants import Contestant, start
from benchmarks.contest.servers import Servers
from benchmarks.contest.stream import record
from core.children import free_port
from core.settings import KafkaSettings
from storage import migrate
from streams import topics

PARTITIONS = 8
POLL_SECONDS = 0.25
START_SECONDS = 60.0
STOP_SECONDS = 20.0
TOKENS, PADDING = "opinion_models_tokens_total", "opinion_models_padding_tokens_total"


class ContestantFailedError(Exception):
    """Its process ended, or no rows came."""


class Run:
    """A database, topics and a process of the contestant's own, from `with` to its end.

    `warm_up`, `throughput` and `latencies` raise ContestantFailedError.
    """

    def __init__(
        self, servers: Servers, contestant: Contestant, python: Path, checkpoint: Path, logs: Path, name: str
    ) -> None:
        """Args:
        logs: the folder for what its process says.
        name: of its database and log, and the prefix of its topics; new for each run.
        """
        self._servers, self._contestant, self._name = servers, contestant, name
        self._python, self._checkpoint = python, checkpoint
        self._log = logs / f"{name}.log"
        self._url = servers.database_url(name)
        self._prefix = f"{name}."
        self._port = free_port()
        self._producer = KafkaProducer(bootstrap_servers=servers.bootstrap)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._servers.execute(f"CREATE DATABASE {self._name}")
        topics.apply(self._servers.bootstrap, KafkaSettings(topic_prefix=self._prefix, partitions=PARTITIONS))
        if self._contestant.is_ours:
            migrate.upgrade(self._url)
        elif self._contestant.schema:
            with psycopg.connect(self._url) as connection:
                connection.execute(self._contestant.schema.encode())
        folder, environment = self._servers.folder, self._environment()
        self._process = start(self._contestant, self._python, folder, self._log, environment)
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._producer.close()
        self._servers.execute(f"DROP DATABASE {self._name} WITH (FORCE)")

    def warm_up(self, texts: Sequence[str]) -> None:
        """Wait until the model is loaded and the first documents are rows."""
        self._wait(self._send("w", texts), START_SECONDS, must_be_all=True)

    def throughput(self, texts: Sequence[str], seconds: float) -> float:
        """Documents per second, from the first one sent to the last one committed within `seconds`."""
        started = time.time()
        done = self._wait(self._send("t", texts), seconds)
        return len(done) / (max(done.values()) - started)

    def latencies(self, texts: Sequence[str], per_second: float, seed: int = 5) -> list[float]:
        """Seconds from sending a document to the commit of its row, sorted; so many come, at random times."""
        dice = random.Random(seed)
        sent: dict[str, float] = {}
        due = time.time()
        for number, text in enumerate(texts):
            due += dice.expovariate(per_second)
            time.sleep(max(0.0, due - time.time()))
            sent |= self._send(f"l{number}-", [text])
        done = self._wait(sent, START_SECONDS, must_be_all=True)
        return sorted(done[key] - at for key, at in sent.items())

    def peak_bytes(self) -> int:
        """The most memory that its processes had resident, shared libraries included."""
        assert self._process
        root = psutil.Process(self._process.pid)
        return sum(_peak_bytes(process.pid) for process in (root, *root.children(recursive=True)))

    def padding_share(self) -> float:
        """Of all tokens that our worker has computed so far."""
        counters = self.counters()
        return counters[PADDING] / (counters[PADDING] + counters[TOKENS])

    def counters(self) -> dict[str, float]:
        """What our worker's /metrics says now."""
        lines = httpx.get(f"http://127.0.0.1:{self._port}/metrics", trust_env=False).text.splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}

    def _environment(self) -> dict[str, str]:
        if self._contestant.is_ours:
            return {
                "OPINION_HOME": str(self._servers.folder),
                "OPINION_KAFKA_BOOTSTRAP": self._servers.bootstrap,
                "OPINION_DATABASE_URL": self._url,
                "OPINION_GROUP": self._name,
                "OPINION_KAFKA__TOPIC_PREFIX": self._prefix,
                "OPINION_MODELS__CHECKPOINT": str(self._checkpoint),
                "OPINION_WORKER__PROBES_PORT": str(self._port),
            }
        return {
            "KAFKA": self._servers.bootstrap,
            "TOPIC": self._prefix + topics.RAW,
            "DATABASE": self._url,
            "CHECKPOINT": str(self._checkpoint),
        }

    def _send(self, prefix: str, texts: Sequence[str]) -> dict[str, float]:
        """When each document was sent, by its key."""
        sent = {}
        for number, text in enumerate(texts):
            key, value = record(f"{prefix}{number}", text)
            sent[f"{prefix}{number}"] = time.time()
            self._producer.send(self._prefix + topics.RAW, key=key, value=value)
        return sent

    def _wait(self, sent: Mapping[str, float], seconds: float, *, must_be_all: bool = False) -> dict[str, float]:
        """When the rows of what was sent were committed; of all, or of those that came in time. The first may take
        longer: Pathway writes all at once."""
        self._producer.flush()
        letter = next(iter(sent))[0]
        sent_rows = f"FROM {self._contestant.table} WHERE {self._contestant.key} LIKE '{letter}%'"
        started, count = time.monotonic(), 0
        while count < len(sent) and time.monotonic() < started + (seconds if count else START_SECONDS):
            assert self._process
            if self._process.poll() is not None:
                raise ContestantFailedError(f"ended with {self._process.returncode}, see {self._log}")
            time.sleep(POLL_SECONDS)
            [(count,)] = self._ask(f"SELECT count(*) {sent_rows}") or [(0,)]
        committed = "extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8"
        done = dict(self._ask(f"SELECT {self._contestant.key}, {committed} {sent_rows}"))
        if not done or (must_be_all and len(done) < len(sent)):
            raise ContestantFailedError(f"{len(done)} of {len(sent)} rows in time, see {self._log}")
        return done

    def _ask(self, statement: str) -> list[tuple[Any, ...]]:
        try:
            with psycopg.connect(self._url, autocommit=True) as connection:
                return connection.execute(statement.encode()).fetchall()
        except psycopg.errors.UndefinedTable:  # Quix creates its table itself, with the first rows
            return []


def _peak_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
