"""What do 500 readers of the live stream cost, beside one, and the charts beside them?

    python -m benchmarks.sse [--readers 500] [--rate 20] [--seconds 10] [--burst 2000] [--rounds 3]

One `opinion web` process, embedded Kafka and PostgreSQL, and the readers as sockets of this process, all on this
machine. In turns, in the same run:

- steady: `rate` documents a second for `seconds`; delay from before the document is given to the broker until a
  reader has read its line, for one reader and for all (of the many, each tenth is timed);
- burst: `burst` documents at once; documents a second until every reader has had the last;
- charts: one after the other GET /api/v1/series over `rows` stored documents for `seconds`, with nobody reading, and
  beside all readers at the steady rate.

Memory is the console's resident memory with all readers connected and served, less that before the first of them, for
each. Prints a table and the median ratios; writes var/bench/sse.json.
"""

import argparse
import asyncio
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx
import psutil

from core.children import free_port
from core.settings import KafkaSettings
from storage import migrate
from storage.engine import connect
from storage.local import EmbeddedPostgres
from streams import topics
from streams.local import EmbeddedKafka
from tests.support.events import Publisher, document
from tests.support.records import row
from tests.support.rows import store_rows
from tests.support.servers import JARS
from tests.support.waiting import wait_for

PATH = "/api/v1/stream"
TEXT = "奶茶喝完肚子疼，这家店的卫生真的太差了，再也不会去了。" * 3
ROWS = 20_000
OPENED_AT_ONCE = 50
TIMED = 10  # every tenth


class Reader(asyncio.Protocol):
    """One connection; counts documents, and, where it is timed, how old they are when they come."""

    def __init__(self, is_timed: bool) -> None:
        self.documents = 0
        self.delays: list[float] = []
        self.opened = asyncio.Event()
        self._is_timed = is_timed
        self._rest = b""

    async def connect(self, port: int) -> asyncio.Transport:
        """Returns when the first event is there."""
        transport, _ = await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", port)
        transport.write(f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        await asyncio.wait_for(self.opened.wait(), 60)
        return transport

    def data_received(self, data: bytes) -> None:
        received = self._rest + data
        whole, _, self._rest = received.rpartition(b"\n")
        self.documents += whole.count(b"event: document")
        if self._is_timed:
            now = time.time()
            self.delays += [now - float(sent) for sent in re.findall(rb"sent_at=([0-9.]{17})", whole)]
        if not self.opened.is_set() and b"event: ping" in whole:
            self.opened.set()


class Readers:
    """Some connections at once, while the block lasts."""

    def __init__(self, port: int, count: int) -> None:
        self.all = [Reader(n % TIMED == 0) for n in range(count)]
        self._port = port
        self._transports: list[asyncio.Transport] = []

    async def __aenter__(self) -> "Readers":
        for start in range(0, len(self.all), OPENED_AT_ONCE):
            part = self.all[start : start + OPENED_AT_ONCE]
            self._transports += await asyncio.gather(*(one.connect(self._port) for one in part))
        return self

    async def __aexit__(self, *_: object) -> None:
        for transport in self._transports:
            transport.close()

    async def have(self, count: int) -> None:
        """Each has had so many documents."""
        deadline = time.monotonic() + 300
        while min(one.documents for one in self.all) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"slowest reader has {min(one.documents for one in self.all)} of {count}")
            await asyncio.sleep(0.01)

    def delays(self) -> list[float]:
        return [delay for one in self.all for delay in one.delays]


class Bench:
    """The servers, and what is measured on them."""

    def __init__(self, port: int, publisher: Publisher, arguments: argparse.Namespace) -> None:
        self.port, self.publisher, self.arguments = port, publisher, arguments
        self._number = 0

    def publish(self, count: int) -> None:
        documents = [document(self._number + n, text=f"sent_at={time.time():.6f} {TEXT}") for n in range(count)]
        self._number += count
        self.publisher.publish(documents)

    def steadily(self, seconds: float) -> int:
        """Blocks; how many were published."""
        started, count = time.monotonic(), 0
        while (passed := time.monotonic() - started) < seconds:
            due = int(passed * self.arguments.rate) + 1 - count
            if due > 0:
                self.publish(due)
                count += due
            time.sleep(1 / self.arguments.rate)
        return count

    async def steady(self, readers: int) -> dict[str, float]:
        async with Readers(self.port, readers) as reading:
            count = await asyncio.to_thread(self.steadily, self.arguments.seconds)
            await reading.have(count)
            return {"p50": median(reading.delays()), "p95": p95(reading.delays())}

    async def burst(self, readers: int) -> float:
        async with Readers(self.port, readers) as reading:
            started = time.perf_counter()
            await asyncio.to_thread(self.publish, self.arguments.burst)
            await reading.have(self.arguments.burst)
            return self.arguments.burst * readers / (time.perf_counter() - started)

    def charts(self, seconds: float) -> list[float]:
        """Blocks; how long each answer took."""
        taken: list[float] = []
        until = time.monotonic() + seconds
        with httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60, trust_env=False) as http:
            while time.monotonic() < until:
                started = time.perf_counter()
                assert http.get("/api/v1/series?range=24h&by=topic").is_success
                taken.append(time.perf_counter() - started)
        return taken

    async def charts_beside(self, readers: int) -> tuple[list[float], float]:
        """And the delay p95 of the readers meanwhile."""
        async with Readers(self.port, readers) as reading:
            publishing = threading.Thread(target=self.steadily, args=(self.arguments.seconds,))
            publishing.start()
            taken = await asyncio.to_thread(self.charts, self.arguments.seconds)
            await asyncio.to_thread(publishing.join)
            return taken, p95(reading.delays())


def p95(values: Sequence[float]) -> float:
    return quantiles(values, n=20)[-1] if len(values) > 1 else max(values)


async def measure(bench: Bench, console: psutil.Process, readers: int) -> dict[str, Any]:
    """One round."""
    one, many = await bench.steady(1), await bench.steady(readers)
    burst_one, burst_many = await bench.burst(1), await bench.burst(readers)
    alone = await asyncio.to_thread(bench.charts, bench.arguments.seconds)
    beside, delay = await bench.charts_beside(readers)
    return {
        "delay_one": one,
        "delay_many": many,
        "delay_ratio": many["p95"] / one["p95"],
        "burst_one": burst_one,
        "burst_many": burst_many,
        "burst_ratio": burst_many / burst_one,
        "charts_alone": {"p95": p95(alone), "a_second": len(alone) / bench.arguments.seconds},
        "charts_beside": {"p95": p95(beside), "a_second": len(beside) / bench.arguments.seconds},
        "charts_p95_ratio": p95(beside) / p95(alone),
        "delay_many_beside_charts_p95": delay,
        "resident_bytes": console.memory_info().rss,
    }


async def memory(bench: Bench, console: psutil.Process, readers: int) -> float:
    """Bytes for each reader."""
    async with Readers(bench.port, 1) as reading:  # what the first reader needs is not counted
        await asyncio.to_thread(bench.publish, 200)
        await reading.have(200)
    before = console.memory_info().rss
    async with Readers(bench.port, readers) as reading:
        await asyncio.to_thread(bench.publish, 200)
        await reading.have(200)
        return (console.memory_info().rss - before) / readers


async def run(bench: Bench, console: psutil.Process, readers: int, rounds: int) -> dict[str, Any]:
    each = await memory(bench, console, readers)
    print(f"memory: {each / 1024:.0f} KiB a reader")
    found = []
    for number in range(rounds):
        found.append(await measure(bench, console, readers))
        print(f"round {number + 1}: {json.dumps(found[-1])}", flush=True)
    ratios = {name: median(one[name] for one in found) for name in found[0] if name.endswith("_ratio")}
    return {"memory_bytes_a_reader": each, "rounds": found, "median_ratios": ratios}


def store_documents(url: str) -> None:
    """A day of documents for the charts."""
    rng, now = random.Random(1), datetime.now(UTC)
    engine = connect(url)
    for start in range(0, ROWS, 2000):
        store_rows(
            engine,
            [
                row(
                    f"stored:{n}",
                    n,
                    published_at=now - timedelta(seconds=rng.randrange(86_400)),
                    topic_label=rng.choice(["food", "sports", "finance", "tech"]),
                )
                for n in range(start, start + 2000)
            ],
        )
    engine.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", type=int, default=500)
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--burst", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        home.chmod(0o755)  # PostgreSQL may run as another account
        with EmbeddedKafka(home, jars=JARS) as kafka, EmbeddedPostgres(home) as postgres:
            assert kafka.bootstrap
            assert postgres.url
            migrate.upgrade(postgres.url)
            topics.apply(kafka.bootstrap, KafkaSettings())
            store_documents(postgres.url)
            port = free_port()
            addresses = {
                "OPINION_WEB__ACCESS": "open",
                "OPINION_KAFKA_BOOTSTRAP": kafka.bootstrap,
                "OPINION_DATABASE_URL": postgres.url,
            }
            web = subprocess.Popen(
                [sys.executable, "-m", "opinion.cli", "web", "--port", str(port)], env={**os.environ, **addresses}
            )
            publisher = Publisher(kafka.bootstrap, topics.CLASSIFIED)
            try:
                with httpx.Client(trust_env=False) as client:
                    wait_for(lambda: client.get(f"http://127.0.0.1:{port}/healthz").is_success, 60, "the console")
                bench = Bench(port, publisher, arguments)
                bench.publish(10)
                figures = asyncio.run(run(bench, psutil.Process(web.pid), arguments.readers, arguments.rounds))
            finally:
                publisher.close()
                web.terminate()
                web.wait(30)
    for name, ratio in figures["median_ratios"].items():
        print(f"{name:24}{ratio:8.2f}  median of {arguments.rounds} rounds")
    out = Path("var/bench/sse.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({**vars(arguments), **figures}, indent=1))


if __name__ == "__main__":
    main()
