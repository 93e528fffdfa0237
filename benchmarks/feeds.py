"""How many feeds does one scheduler poll in a second, and does its memory stay flat?

    python -m benchmarks.feeds [--feeds 1000] [--entries 20] [--rounds 10]

Feeds of as many hosts, all served by one process on loopback, polled by the feeds job with an embedded Kafka and an
embedded PostgreSQL. First everything is new; then each feed answers 304; then, round after round, every feed is sent
whole with one entry changed. Pauses between requests to one host are off.

Prints feeds/s and documents/s of each kind of round and the process's memory; writes var/bench/feeds.json.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import tempfile
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import psutil
from sqlalchemy import Engine

from core.clock import SystemClock
from core.settings import FeedSettings, Settings
from opinion.feeds import FeedsJob
from storage import feeds, migrate
from storage.engine import connect
from storage.feeds import FeedSpec
from storage.local import EmbeddedPostgres
from streams import topics
from streams.local import EmbeddedKafka
from streams.sources.feeds import Poll

JARS = Path("var") / "jars"
ENTRY = (
    "<item><title>Headline {n} of {path} in version {version}</title><guid>https://{path}.example/{n}</guid>"
    "<link>https://{path}.example/{n}</link><pubDate>Mon, 02 Mar 2026 12:{n:02d}:00 +0800</pubDate>"
    "<description>&lt;p&gt;这家店的卫生真的太差了，再也不会去了。 Some words of a summary, as feeds have them, of "
    "ordinary length and with &lt;b&gt;markup&lt;/b&gt;.&lt;/p&gt;</description></item>"
)


def serve(entries: int, pipe: Connection) -> None:
    """Answers for every host, in a process of its own; a number through the pipe is the version from now on."""
    version = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split(" ")[1].strip("/")
        etag = f'"{version}"'
        if path == "robots.txt":
            status, body = "404 -", b""
        elif f"If-None-Match: {etag}" in head:
            status, body = "304 -", b""
        else:
            items = (ENTRY.format(n=n, path=path, version=0 if n else version) for n in range(entries))
            feed = f'<?xml version="1.0"?><rss version="2.0"><channel>{"".join(items)}</channel></rss>'
            status, body = "200 -", feed.encode()
        lines = [f"HTTP/1.1 {status}", f"ETag: {etag}", "Content-Type: text/xml", f"Content-Length: {len(body)}"]
        writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode() + body)
        await writer.drain()
        writer.close()

    def take() -> None:
        nonlocal version
        version = pipe.recv()
        pipe.send(version)

    async def run() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1024)
        asyncio.get_running_loop().add_reader(pipe.fileno(), take)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def timed(job: FeedsJob, engine: Engine, polls: list[Poll]) -> tuple[float, int, int]:
    """Seconds, polls and documents of one round over all feeds."""
    with engine.begin() as connection:
        feeds.make_due(connection, now=datetime.now(UTC))
    polls.clear()
    began = time.perf_counter()
    job(lambda: False)
    seconds = time.perf_counter() - began
    failed = [poll for poll in polls if poll.error]
    assert not failed, failed[0].error
    return seconds, len(polls), sum(len(poll.documents) for poll in polls)


def measure(count: int, entries: int, rounds: int, home: Path) -> dict[str, object]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(entries, theirs), daemon=True)
    server.start()
    port = ours.recv()
    with EmbeddedKafka(home, jars=JARS) as kafka, EmbeddedPostgres(home) as postgres:
        assert kafka.bootstrap
        assert postgres.url
        migrate.upgrade(postgres.url)
        settings = Settings(
            feeds=FeedSettings(host_interval_seconds=0, allowed_networks=[ip_network("127.0.0.1/32")])
        )
        topics.apply(kafka.bootstrap, settings.kafka)
        engine = connect(postgres.url)
        with engine.begin() as connection:
            hosts = [f"h{n}.example" for n in range(count)]
            specs = [FeedSpec(f"http://{h}:{port}/{h[:-8]}", h, h, timedelta(hours=9)) for h in hosts]
            feeds.put(connection, specs, now=datetime.now(UTC))
        polls: list[Poll] = []
        job = FeedsJob(
            settings,
            engine,
            kafka.bootstrap,
            SystemClock(),
            lookup=lambda host, port: ["127.0.0.1"],
            on_poll=polls.append,
        )
        process, memory = psutil.Process(os.getpid()), []
        kinds: dict[str, list[tuple[float, int, int]]] = {"new": [], "unchanged": [], "changed": []}
        kinds["new"].append(timed(job, engine, polls))
        for version in range(1, rounds + 1):
            kinds["unchanged"].append(timed(job, engine, polls))
            ours.send(version)
            ours.recv()
            kinds["changed"].append(timed(job, engine, polls))
            memory.append(process.memory_info().rss // 2**20)
            print(f"round {version}: {memory[-1]} MiB", flush=True)
        job.close()
        engine.dispose()
    server.kill()
    server.join()
    result: dict[str, object] = {"feeds": count, "entries": entries, "memory_mib": memory}
    for kind, all_rounds in kinds.items():
        result[kind] = {
            "feeds_per_second": round(median(polled / seconds for seconds, polled, _ in all_rounds), 1),
            "documents_per_second": round(median(documents / seconds for seconds, _, documents in all_rounds), 1),
            "rounds": len(all_rounds),
        }
        print(kind, result[kind], flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--feeds", type=int, default=1000)
    parser.add_argument("--entries", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="opinion-bench-") as home:
        Path(home).chmod(0o755)  # PostgreSQL may run as another account
        result = measure(arguments.feeds, arguments.entries, arguments.rounds, Path(home))
    out = Path("var") / "bench"
    out.mkdir(parents=True, exist_ok=True)
    (out / "feeds.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
