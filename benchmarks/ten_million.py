"""How fast do console, API and SQL answer over ten million documents, while more are written?

    python -m benchmarks.ten_million load [--documents 10000000] [--seed 7] [--days 75] [--home var/ten-million]
    python -m benchmarks.ten_million ask [--home var/ten-million] [--calls 20] [--rate 100]

`load` writes the documents of `benchmarks.made_stream` through the real write path (`storage.documents.store` in the
batches and transactions of a worker; verdicts are drawn, no model runs) into a PostgreSQL kept under --home. It goes
on where it was stopped: each batch is in the ledger. `--until N` stops after so many. Where there is no time to load
them all, `fill` puts copies of the loaded days' counts before them, so that views and charts have as much to read.

Without a word it does all three, over `SOME` documents and the counts of ten million: some minutes.

`ask` measures (`benchmarks.asking`), with the write path storing --rate documents a second beside it, and writes
var/bench/ten_million.json.
"""

import argparse
import json
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import httpx
from sqlalchemy import Engine, func, select, text

from benchmarks.asking import Answer, Meter, ask_http, ask_sql, table
from benchmarks.made_stream import CHUNK, START, Stream
from core.clock import MovableClock
from opinion.rolling_up import EVERY, RollUpJob
from storage import migrate, rollups
from storage.documents import DocumentRow, store
from storage.engine import connect
from storage.local import EmbeddedPostgres
from storage.offset_ledger import LedgerLine, write_lines
from storage.partitions import Partitions
from storage.tables import offset_ledger
from tests.support.consoles import serving
from web.app import create_app

SOME = 300_000
TOPIC = "opinion.document.raw.v1"
BATCH = 500


def write_batch(engine: Engine, partitions: Partitions, rows: Sequence[DocumentRow]) -> None:
    """One transaction, as a worker's: documents, counts, copies, ledger."""
    partitions.ensure(row.published_at for row in rows)
    with engine.begin() as connection:
        fates = [one.fate for one in store(connection, rows)]
        line = LedgerLine(
            topic=TOPIC,
            partition=0,
            first_offset=rows[0].record_offset,
            last_offset=rows[-1].record_offset,
            stored=fates.count("stored"),
            repeats=fates.count("repeat"),
            revisions=fates.count("revision"),
            dead_lettered=0,
            last_recorded_at=rows[-1].recorded_at,
        )
        write_lines(connection, [line])


def loaded(engine: Engine) -> int:
    """Documents that are stored."""
    with engine.connect() as connection:
        last = connection.scalar(select(func.max(offset_ledger.c.last_offset)))
    return 0 if last is None else int(last) + 1


def load(engine: Engine, stream: Stream, until: int) -> None:
    """Store what is missing, and say every ten thousand how it goes."""
    partitions = Partitions(engine)
    done = loaded(engine)
    began, first = time.perf_counter(), done
    while done < until:
        rows = [row for row in stream.chunk(done // CHUNK) if done <= row.record_offset < until]
        started = time.perf_counter()
        for start in range(0, len(rows), BATCH):
            write_batch(engine, partitions, rows[start : start + BATCH])
        done += len(rows)
        now = time.perf_counter()
        print(
            f"{done:,} of {until:,}: {len(rows) / (now - started):,.0f} documents/s, "
            f"{(done - first) / (now - began):,.0f} on average",
            flush=True,
        )


def fill(engine: Engine, stream: Stream) -> int:
    """Put the counts of the loaded days before them, again and again, until there are as many days as the stream has;
    returns of how many documents there are counts then."""
    with engine.begin() as connection:
        oldest, newest = connection.execute(text("SELECT min(bucket_at), max(bucket_at) FROM opinion_minute")).one()
        period = timedelta(days=max(1, (min(newest, stream.end()) - START).days))
    at = START - period
    while oldest > at - period and at >= START - timedelta(days=stream.days):
        with engine.begin() as connection:
            for name in ("opinion_minute", "watchlist_minute"):
                shifted = {"start": START, "end": START + period, "back": START - at}
                columns = "source, kind, lang, topic_label, model_version, total, negative, neutral, positive, copies"
                columns += ", negative_copies, neutral_copies, positive_copies"
                columns += ", watchlist" if name == "watchlist_minute" else ""
                connection.execute(
                    text(
                        f"INSERT INTO {name} (bucket_at, {columns}) SELECT bucket_at - :back, {columns} "  # noqa: S608
                        f"FROM {name} WHERE bucket_at >= :start AND bucket_at < :end ON CONFLICT DO NOTHING"
                    ),
                    shifted,
                )
        print(f"filled from {at:%Y-%m-%d}", flush=True)
        at -= period
    with engine.connect() as connection:
        return int(connection.scalar(text("SELECT sum(total) FROM opinion_minute")) or 0)


def write_steadily(url: str, stream: Stream, rate: float) -> None:
    """Go on writing the stream, so many documents a second, until the parent ends this."""
    engine = connect(url)
    partitions = Partitions(engine)
    done, size = loaded(engine), max(1, int(rate / 2))
    started, first = time.perf_counter(), done
    rows: list[DocumentRow] = []
    while True:
        if not rows:
            rows = [row for row in stream.chunk(done // CHUNK) if row.record_offset >= done]
        write_batch(engine, partitions, rows[:size])
        done += len(rows[:size])
        rows = rows[size:]
        time.sleep(max(0.0, started + (done - first) / rate - time.perf_counter()))


def roll_up_steadily(url: str) -> None:
    """What the scheduler does, until the parent ends this."""
    job = RollUpJob(connect(url))
    while True:
        job(lambda: False)
        time.sleep(EVERY.total_seconds())


def ask(url: str, stream: Stream, calls: int, rate: float) -> list[Answer]:
    """Roll up what there is, then ask everything while the stream goes on."""
    engine = connect(url)
    job = RollUpJob(engine, quiet=timedelta(0))
    with engine.connect() as connection:
        while rollups.waiting(connection) > 1:
            started = time.perf_counter()
            connection.rollback()
            job(lambda: False)
            left = rollups.waiting(connection)
            print(f"{left} hours left to roll up, {time.perf_counter() - started:.0f} s", flush=True)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    context = multiprocessing.get_context("spawn")
    beside = [
        context.Process(target=write_steadily, args=(url, stream, rate), daemon=True),
        context.Process(target=roll_up_steadily, args=(url,), daemon=True),
    ]
    for one in beside:
        one.start()
    answers = []
    engine.dispose()  # so that the meter sees every connection come
    meter = Meter(engine)
    try:
        with engine.connect() as connection:
            newest = connection.scalar(text("SELECT max(bucket_at) FROM opinion_minute"))
        app = create_app(engine, clock=MovableClock(newest))
        with serving(app) as base, httpx.Client(base_url=base, timeout=60) as client:
            for answer in ask_http(client, meter, newest, calls):
                print(table([answer]).splitlines()[1], flush=True)
                answers.append(answer)
        with engine.connect() as connection:
            for answer in ask_sql(connection, meter, newest, calls):
                print(table([answer]).splitlines()[1], flush=True)
                answers.append(answer)
    finally:
        for one in beside:
            one.terminate()
    engine.dispose()
    return answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["load", "fill", "ask"])
    parser.add_argument("--documents", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=75)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--until", type=int, help="stop after so many documents")
    parser.add_argument("--home", type=Path, default=Path("var/ten-million"))
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--rate", type=float, default=100)
    arguments = parser.parse_args()
    stream = Stream(arguments.documents, arguments.days, arguments.seed)
    arguments.home.mkdir(parents=True, exist_ok=True)
    arguments.home.chmod(0o755)  # PostgreSQL may run as another account
    with EmbeddedPostgres(arguments.home) as postgres:
        assert postgres.url
        migrate.upgrade(postgres.url)
        engine = connect(postgres.url)
        if arguments.what in ("load", None):
            until = arguments.until or (SOME if arguments.what is None else stream.documents)
            load(engine, stream, min(until, stream.documents))
        if arguments.what in ("fill", None):
            print(f"counts of {fill(engine, stream):,} documents")
        if arguments.what in ("ask", None):
            answers = ask(postgres.url, stream, arguments.calls, arguments.rate)
            body = {"documents": loaded(engine), "rate": arguments.rate, "answers": [asdict(one) for one in answers]}
            out = Path("var/bench/ten_million.json")
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(json.dumps(body, indent=1))
            print(table(answers))
        engine.dispose()


if __name__ == "__main__":
    main()
