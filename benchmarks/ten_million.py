"""How fast do console, API and SQL answer over ten million documents, while more are written?

    python -m benchmarks.ten_million load [--documents 10000000] [--seed 7] [--days 75] [--home var/ten-million]
    python -m benchmarks.ten_million ask [--home var/ten-million] [--calls 20] [--rate 100]

`load` writes the documents of `benchmarks.made_stream` through the real write path (`storage.documents.store` in the
batches and transactions of a worker; verdicts are drawn, no model runs) into a PostgreSQL kept under --home. It goes
on where it was stopped: each batch is in the ledger. `--until N` stops after so many.

`ask` measures (`benchmarks.asking`), with the write path storing --rate documents a second beside it, and writes
var/bench/ten_million.json.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Engine, func, select

from benchmarks.made_stream import CHUNK, Stream
from storage import migrate
from storage.documents import DocumentRow, store
from storage.engine import connect
from storage.local import EmbeddedPostgres
from storage.offset_ledger import LedgerLine, write_lines
from storage.partitions import Partitions
from storage.tables import offset_ledger

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["load"])
    parser.add_argument("--documents", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=75)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--until", type=int, help="stop after so many documents")
    parser.add_argument("--home", type=Path, default=Path("var/ten-million"))
    arguments = parser.parse_args()
    stream = Stream(arguments.documents, arguments.days, arguments.seed)
    arguments.home.mkdir(parents=True, exist_ok=True)
    arguments.home.chmod(0o755)  # PostgreSQL may run as another account
    with EmbeddedPostgres(arguments.home) as postgres:
        assert postgres.url
        migrate.upgrade(postgres.url)
        engine = connect(postgres.url)
        load(engine, stream, min(arguments.until or stream.documents, stream.documents))
        engine.dispose()


if __name__ == "__main__":
    main()
