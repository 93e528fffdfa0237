"""How fast is the write path, beside what most people would write?

    python -m benchmarks.store [--rows 5000] [--batch 256]

Both sides write the same classified documents in the same batches to the same embedded PostgreSQL, in turns, durable:

- ours: `storage.documents.store`: ids locked, fates decided, binary COPY, upsert, minute counts, one transaction;
- unmarked: ours without the triggers that mark hours for their roll-ups (`storage.rollups`);
- insert: SQLAlchemy `insert(document).values([...])` of the batch, without fates, history or counts.

Prints rows/s of each round and the median ratios; writes var/bench/store.json.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from sqlalchemy import Connection, Engine, insert, text

from storage import documents, migrate
from storage.documents import DocumentRow
from storage.engine import connect
from storage.local import EmbeddedPostgres
from storage.partitions import Partitions
from storage.tables import document

START = datetime(2024, 5, 1, tzinfo=UTC)
ROUNDS = 5


def make_rows(name: str, count: int) -> list[DocumentRow]:
    """Rows of one hour, a few hundred bytes each."""
    return [
        DocumentRow(
            published_at=START + timedelta(seconds=n * 3600 / count),
            id=f"{name}:{n}",
            revision=0,
            kind="comment",
            source=f"source-{n % 5}",
            lang="zh",
            url=None,
            title=None,
            text="奶茶喝完肚子疼,这家店的卫生真的太差了,再也不会去了。" * (1 + n % 4),
            author=None,
            parent_id=None,
            likes=0,
            reposts=0,
            replies=0,
            crawled_at=START,
            content_hash=n.to_bytes(32, "big"),
            topic_label=f"topic-{n % 17}",
            topic_scores={"finance": 0.75, "sports": 0.125, "health": 0.125},
            sentiment="negative",
            score_negative=0.75,
            score_neutral=0.125,
            score_positive=0.125,
            topic_uncertain=False,
            sentiment_uncertain=False,
            mentions=None,
            model_version="m",
            record_partition=0,
            record_offset=n,
            recorded_at=START,
            stored_at=START,
        )
        for n in range(count)
    ]


def ours(connection: Connection, batch: Sequence[DocumentRow]) -> None:
    documents.store(connection, batch)


def mark_hours(engine: Engine, is_on: bool) -> None:
    """Switch the triggers of the minute counts."""
    with engine.begin() as connection:
        for table in ("opinion_minute", "watchlist_minute"):
            connection.execute(text(f"ALTER TABLE {table} {'ENABLE' if is_on else 'DISABLE'} TRIGGER USER"))


def plain_insert(connection: Connection, batch: Sequence[DocumentRow]) -> None:
    connection.execute(insert(document).values([row._asdict() for row in batch]))


def rows_per_second(
    engine: Engine, write: Callable[[Connection, Sequence[DocumentRow]], None], rows: list[DocumentRow], size: int
) -> float:
    started = time.perf_counter()
    for start in range(0, len(rows), size):
        with engine.begin() as connection:
            write(connection, rows[start : start + size])
    return len(rows) / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000)
    parser.add_argument("--batch", type=int, default=256)
    arguments = parser.parse_args()
    figures: dict[str, list[float]] = {"ours": [], "unmarked": [], "insert": []}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # PostgreSQL may run as another account
        with EmbeddedPostgres(Path(folder)) as postgres:
            assert postgres.url
            migrate.upgrade(postgres.url)
            engine = connect(postgres.url)
            Partitions(engine).ensure([START])
            for nth in range(ROUNDS):
                for name, write in (("ours", ours), ("unmarked", ours), ("insert", plain_insert)):
                    mark_hours(engine, name != "unmarked")
                    rows = make_rows(f"{name}{nth}", arguments.rows)
                    figures[name].append(rows_per_second(engine, write, rows, arguments.batch))
            engine.dispose()
    ratio = median(a / b for a, b in zip(figures["ours"], figures["insert"], strict=True))
    for name, values in figures.items():
        print(f"{name:8}" + "".join(f"{value:10.0f}" for value in values) + "  rows/s")
    print(f"ours / insert, median of {ROUNDS} rounds: {ratio:.2f}")
    marked = median(a / b for a, b in zip(figures["ours"], figures["unmarked"], strict=True))
    print(f"ours / unmarked, median of {ROUNDS} rounds: {marked:.2f}")
    out = Path("var/bench/store.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(
        json.dumps(
            {"batch": arguments.batch, "rows": arguments.rows, "ratio": ratio, "ratio_unmarked": marked, **figures},
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
