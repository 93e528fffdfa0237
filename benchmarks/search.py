"""How fast is search on a million documents, and what do its indexes cost?

    python -m benchmarks.search [--documents 1000000] [--queries 40] [--seed 7] [--shared ../shared/data]

Chinese and English texts, put together from the texts under --shared, over 75 days; all but the newest 1 % have
search indexes, as on a running system. Words are drawn by how many documents hold them: rare, about 1 in 50,000;
medium, 1 in 1,000 to 1 in 200; frequent, more than 1 in 50. Beside it, in the same run: what most people would write,
`ILIKE`, with nothing and with a pg_trgm index where the server has that; and the write path into minutes without an
index (where new documents go), with one (where late ones go), and with pg_trgm on everything. Needs some 3 GB of disk
while it runs.

Prints p50, p95 and max per kind; writes var/bench/search.json.
"""

import argparse
import gzip
import json
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from benchmarks.store import make_rows, ours, rows_per_second
from core.clock import MovableClock
from core.queries import parse_query
from opinion.search_index import SearchIndexJob
from storage import migrate
from storage.copying import copy_rows
from storage.documents import DocumentRow
from storage.engine import connect
from storage.local import EmbeddedPostgres
from storage.partitions import Partitions
from storage.search import Wanted, search
from storage.search_slices import read_slices
from storage.series import Filters
from storage.tables import document, mention

START = datetime(2024, 3, 20, tzinfo=UTC)
LENGTH = timedelta(days=75)
TAIL = 0.01  # of the documents, the newest: not indexed yet
SAMPLE = 50_000
SOURCES = 20
MENTIONED = 0.02
WRITTEN = 5_000
ROUNDS = 3
TIMEOUT_SECONDS = 60
Kinds = dict[str, list[Wanted]]


def read_texts(shared: Path) -> list[str]:
    files = sorted([*shared.glob("*/*.train.jsonl.gz"), *shared.glob("stream/*.jsonl.gz")])
    if not files:
        sys.exit(f"there are no texts under {shared}; name another folder with --shared")
    texts = []
    for path in files:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            texts += [json.loads(line)["text"] for line in lines]
    return texts


def make_documents(texts: Sequence[str], count: int, seed: int) -> Iterator[DocumentRow]:
    """In order of time: one text or two, half of them under a title."""
    rng = random.Random(seed)
    shape = make_rows("shape", 1)[0]
    for n in range(count):
        body = rng.choice(texts)
        yield shape._replace(
            published_at=START + LENGTH * n / count,
            id=f"bench:{n}",
            source=f"source-{min(int(rng.expovariate(0.3)), SOURCES - 1)}",
            title=rng.choice(texts)[:30] if rng.random() < 0.5 else None,
            text=f"{body} {rng.choice(texts)}" if rng.random() < 0.5 else body,
            sentiment=rng.choice(("negative", "neutral", "positive")),
            record_offset=n,
        )


def fill(engine: Engine, rows: Iterator[DocumentRow], count: int, seed: int) -> None:
    """COPY the documents, every fiftieth with a mention, and make the minute counts of them."""
    rng = random.Random(seed)
    mentioned: list[tuple[Any, ...]] = []

    def ready() -> Iterator[DocumentRow]:
        for _, row in zip(range(count), rows, strict=False):
            if rng.random() < MENTIONED:
                scores = (row.sentiment, row.score_negative, row.score_neutral, row.score_positive)
                mentioned.append((row.published_at, row.id, "brand", 1, *scores, False, "m"))
            yield row._replace(topic_scores=Jsonb(row.topic_scores))  # type: ignore[arg-type]

    with engine.begin() as connection:
        last = connection.scalar(text("SELECT max(bucket_at) FROM opinion_minute"))
        copy_rows(connection, "document", document, ready())
        copy_rows(connection, "mention", mention, mentioned)
        counts = """
            INSERT INTO opinion_minute (bucket_at, source, kind, lang, topic_label, model_version, total, neutral)
            SELECT date_trunc('minute', published_at), source, kind, lang, topic_label, model_version, count(*),
                   count(*) FROM document WHERE published_at >= :first GROUP BY 1, 2, 3, 4, 5, 6
            ON CONFLICT (bucket_at, source, kind, lang, topic_label, model_version)
            DO UPDATE SET total = excluded.total, neutral = excluded.neutral
        """
        connection.execute(text(counts), {"first": last or START})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM (ANALYZE) document"))
        connection.execute(text("ANALYZE mention, opinion_minute"))


def build_indexes(engine: Engine, count: int, now: datetime) -> dict[str, float]:
    job = SearchIndexJob(engine, size=min(10_000, count // 100), settle=timedelta(0), clock=MovableClock(now))
    started = time.perf_counter()
    job(lambda: False)  # closed months are built when they have been seen twice
    job(lambda: False)
    seconds = time.perf_counter() - started
    with engine.connect() as connection:
        slices = read_slices(connection)
        size = sum(
            connection.scalar(text("SELECT pg_relation_size(CAST(:n AS regclass))"), {"n": one.name}) or 0
            for one in slices
        )
    return {"seconds": round(seconds, 1), "bytes": size, "indexes": len(slices)}


def words_of(texts: Sequence[str]) -> Iterator[str]:
    """The words and pairs of Chinese characters of each text, once."""
    for one in texts:
        runs = re.findall(r"[\u4e00-\u9fff]+", one)
        yield from {run[n : n + 2] for run in runs for n in range(len(run) - 1)}
        yield from set(re.findall(r"(?<![a-z])[a-z]{3,}(?![a-z])", one.lower()))


def choose(texts: Sequence[str], queries: int, seed: int) -> Kinds:
    """So many queries of each kind, by how often their words occur in a sample."""
    rng = random.Random(seed)
    sample = rng.sample(texts, min(SAMPLE, len(texts)))
    counted = Counter(words_of(sample))

    def band(is_zh: bool, least: float, most: float) -> list[str]:
        low, high = max(1, least * len(sample)), max(1, most * len(sample))
        found = sorted(word for word, n in counted.items() if low <= n <= high and word.isascii() != is_zh)
        return rng.sample(found, min(queries, len(found)))

    zh = {"rare": band(True, 0, 1 / SAMPLE), "medium": band(True, 0.001, 0.005), "frequent": band(True, 0.02, 1)}
    en = {"rare": band(False, 0, 1 / SAMPLE), "medium": band(False, 0.001, 0.005), "frequent": band(False, 0.02, 1)}
    phrases = []
    while len(phrases) < queries:
        if found := re.findall(r"[a-zA-Z]{2,} [a-zA-Z]{2,}", rng.choice(sample)):
            phrases.append(f'"{rng.choice(found)}"')
    plain = {f"zh {name}": words for name, words in zh.items()} | {f"en {name}": words for name, words in en.items()}
    plain |= {
        "zh one character": [word[0] for word in zh["medium"]],
        "phrase": phrases,
        "prefix": [f"{word[:4]}*" for word in en["medium"]],
        "A AND B": [f"{a} {b}" for a, b in zip(zh["frequent"], zh["medium"], strict=False)],
        "(A OR B) NOT C": [
            f"({a} OR {b}) NOT {c}" for a, b, c in zip(zh["rare"], zh["medium"], zh["frequent"], strict=False)
        ],
        "no hit": [f"{word}龘靐" for word in zh["medium"]] + [f"zq{word}qz" for word in en["rare"]],
    }
    kinds = {name: [Wanted(query=parse_query(one)) for one in found] for name, found in plain.items()}
    mixed = [*zh["rare"], *zh["medium"], *zh["frequent"]]
    rng.shuffle(mixed)
    words = [Wanted(query=parse_query(one)) for one in mixed[:queries]]
    kinds["word, large source"] = [replace(one, filters=Filters(source="source-0")) for one in words]
    kinds["word, small source"] = [replace(one, filters=Filters(source=f"source-{SOURCES - 2}")) for one in words]
    kinds["word, sentiment"] = [replace(one, sentiment="negative") for one in words]
    kinds["word, watchlist"] = [replace(one, watchlist="brand") for one in words]
    return kinds


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = run()
    return 1000 * (time.perf_counter() - started), result


def find(engine: Engine, wanted: Wanted) -> list[Any]:
    with engine.connect() as connection:
        return search(connection, wanted, seconds=TIMEOUT_SECONDS)


def measure(engine: Engine, kinds: Kinds) -> dict[str, dict[str, float]]:
    figures = {}
    following: list[Wanted] = []
    for name, queries in kinds.items():
        times = []
        for wanted in queries:
            took, found = timed(lambda wanted=wanted: find(engine, wanted))  # type: ignore[misc]
            times.append(took)
            if len(found) == wanted.limit and len(following) < 3 * len(queries):
                following.append(replace(wanted, before=(found[-1].published_at, found[-1].id)))
        figures[name] = summary(times)
    random.Random(1).shuffle(following)
    second = [timed(lambda wanted=wanted: find(engine, wanted))[0] for wanted in following[:100]]  # type: ignore[misc]
    figures["second page"] = summary(second)
    return figures


def summary(times: Sequence[float]) -> dict[str, float]:
    ordered = sorted(times)
    if not ordered:
        return {"queries": 0}
    p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return {
        "queries": len(ordered),
        "p50_ms": round(median(ordered), 1),
        "p95_ms": round(p95, 1),
        "max_ms": round(ordered[-1], 1),
    }


def measure_ilike(engine: Engine, kinds: Kinds, queries: int) -> dict[str, dict[str, float]]:
    """The same words by `ILIKE`, which finds "AI" in "training"."""
    statement = text(
        "SELECT id, published_at, title, left(text, 2000) FROM document "
        "WHERE title ILIKE :like OR text ILIKE :like ORDER BY published_at DESC, id DESC LIMIT 20"
    )

    def run(like: str) -> None:
        with engine.connect() as connection:
            connection.execute(text(f"SET LOCAL statement_timeout = '{TIMEOUT_SECONDS}s'"))
            try:
                connection.execute(statement, {"like": like}).all()
            except OperationalError:  # it counts with the time it was given
                connection.rollback()

    figures = {}
    for name in ("zh rare", "zh medium", "zh frequent", "en rare", "no hit"):
        words = [wanted.query.text for wanted in kinds[name][:queries]]  # type: ignore[union-attr]
        figures[name] = summary([timed(lambda word=word: run(f"%{word}%"))[0] for word in words])  # type: ignore[misc]
    return figures


def build_trigrams(engine: Engine) -> dict[str, float] | None:
    """pg_trgm on title and text of every partition; None when the server does not have it."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.scalar(text("SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_trgm'")):
            return None
        connection.execute(text("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
        connection.execute(text("SET maintenance_work_mem = '256MB'"))
        started = time.perf_counter()
        connection.execute(
            text("CREATE INDEX bench_trigrams ON document USING gin (title gin_trgm_ops, text gin_trgm_ops)")
        )
        seconds = time.perf_counter() - started
        connection.execute(text("RESET maintenance_work_mem"))
        size = connection.scalar(
            text(
                "SELECT sum(pg_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'bench_trigrams'::regclass"
            )
        )
    return {"seconds": round(seconds, 1), "bytes": int(size or 0)}


def measure_writing(engine: Engine, texts: Sequence[str], places: dict[str, datetime]) -> dict[str, float]:
    """Rows/s of the real write path into each place, in turns; medians."""
    rng = random.Random(3)
    figures: dict[str, list[float]] = {name: [] for name in places}
    for nth in range(ROUNDS):
        for name, at in places.items():
            rows = [
                row._replace(published_at=at + timedelta(milliseconds=n), text=rng.choice(texts))
                for n, row in enumerate(make_rows(f"{name}{nth}{rng.random()}", WRITTEN))
            ]
            figures[name].append(rows_per_second(engine, ours, rows, 256))
    return {name: round(median(values)) for name, values in figures.items()}


def run(engine: Engine, count: int, queries: int, seed: int, shared: Path) -> dict[str, Any]:
    texts = read_texts(shared)
    rows = make_documents(texts, count, seed)
    settled = count - int(TAIL * count)
    Partitions(engine).ensure([START + LENGTH * n / 50 for n in range(51)])
    fill(engine, rows, settled, seed)
    kinds = choose(texts, queries, seed)
    unindexed = measure(engine, {name: kinds[name][:5] for name in ("zh rare", "no hit")})
    unindexed.pop("second page")
    index = build_indexes(engine, count, START + LENGTH * settled / count)
    print(f"indexed {settled:,} documents: {index}", flush=True)
    fill(engine, rows, count - settled, seed)
    measure(engine, {name: some[:3] for name, some in kinds.items()})  # warm: caches are full on a running system
    figures: dict[str, Any] = {"documents": count, "index": index, "search": measure(engine, kinds)}
    figures["search without an index"] = unindexed
    figures["ilike"] = measure_ilike(engine, kinds, 3)
    newest = START + LENGTH
    places = {"without an index": newest + timedelta(hours=1), "late, into an indexed minute": START}
    figures["rows_per_second"] = measure_writing(engine, texts, places)
    figures["pg_trgm"] = build_trigrams(engine)
    if figures["pg_trgm"]:
        figures["ilike with pg_trgm"] = measure_ilike(engine, kinds, 3)
        figures["rows_per_second"] |= measure_writing(
            engine, texts, {"with pg_trgm on everything": newest + timedelta(hours=2)}
        )
    return figures


def show(figures: dict[str, Any]) -> None:
    for name in ("search", "search without an index", "ilike", "ilike with pg_trgm"):
        print(f"\n{name:28}{'queries':>8}{'p50 ms':>10}{'p95 ms':>10}{'max ms':>10}")
        for kind, one in figures.get(name, {}).items():
            print(
                f"{kind:28}{one['queries']:8}"
                + "".join(f"{one.get(k, 0):10}" for k in ("p50_ms", "p95_ms", "max_ms"))
            )
    print()
    for name in ("index", "pg_trgm", "rows_per_second"):
        print(f"{name}: {figures[name]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=40, help="of each kind")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # PostgreSQL may run as another account
        with EmbeddedPostgres(Path(folder)) as postgres:
            assert postgres.url
            migrate.upgrade(postgres.url)
            engine = connect(postgres.url)
            figures = run(engine, arguments.documents, arguments.queries, arguments.seed, arguments.shared)
            engine.dispose()
    show(figures)
    out = Path("var/bench/search.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"seed": arguments.seed, **figures}, indent=1))


if __name__ == "__main__":
    main()
