"""How long do the page of documents, its facets and the page of one document take on many documents?

    python -m benchmarks.facets [--documents 1000000] [--rounds 20] [--seed 7] [--shared ../shared/data]

The documents of `benchmarks.search`, behind a console on a port of its own; words are drawn by how many documents
hold them, as there. Every address is asked `--rounds` times, with another word each time. Prints p50, p95 and max in
milliseconds; writes var/bench/facets.json.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import psutil
from sqlalchemy import text

from benchmarks.search import LENGTH, START, build_indexes, fill, make_documents, read_texts, words_of
from core.clock import MovableClock
from storage import migrate
from storage.engine import connect
from storage.local import EmbeddedPostgres
from storage.partitions import Partitions
from tests.support.consoles import serving
from web.app import create_app

SAMPLE = 20_000
SHARES = {"frequent": (0.02, 1.0), "medium": (0.001, 0.005), "rare": (0.00002, 0.0001)}


def words_by_share(texts: list[str], rng: random.Random) -> dict[str, list[str]]:
    """Words by the share of texts that hold them."""
    sample = rng.sample(texts, min(SAMPLE, len(texts)))
    counts = Counter(words_of(sample))
    return {
        kind: [word for word, count in counts.items() if least <= count / len(sample) < most] or [next(iter(counts))]
        for kind, (least, most) in SHARES.items()
    }


def addresses(words: dict[str, list[str]], documents: int, rng: random.Random) -> dict[str, Callable[[], str]]:
    """By name, what makes the next address."""
    found: dict[str, Callable[[], str]] = {
        "page": lambda: "/documents",
        "page, 7 days, one source": lambda: f"/documents?range=7d&source=source-{rng.randrange(5)}",
        "facets, everything": lambda: "/facets",
        "facets, 30 days": lambda: (
            "/facets?" + urlencode({"from": (START + LENGTH - timedelta(days=30)).isoformat()})
        ),
        "facets, watchlist": lambda: "/facets?watchlist=brand",
        "one document": lambda: f"/documents/bench:{rng.randrange(documents)}",
    }
    for kind, choices in words.items():
        for name, path in (("page", "/documents"), ("facets", "/facets")):
            found[f"{name}, {kind} word"] = partial(_searching, path, choices, rng)
    return found


def _searching(path: str, words: list[str], rng: random.Random) -> str:
    return f"{path}?{urlencode({'q': rng.choice(words)})}"


def timed(client: httpx.Client, make: Callable[[], str], rounds: int) -> dict[str, Any]:
    """Milliseconds of as many requests; `refused` took too long and were given up."""
    taken, refused = [], 0
    for _ in range(rounds):
        started = time.perf_counter()
        answer = client.get(make())
        taken.append(1000 * (time.perf_counter() - started))
        refused += answer.status_code == 422
        if answer.status_code not in (200, 422):
            sys.exit(f"{answer.request.url}: {answer.status_code} {answer.text[:200]}")
    taken.sort()
    p95 = taken[min(len(taken) - 1, int(0.95 * len(taken)))]
    return {
        "p50": round(taken[len(taken) // 2], 1),
        "p95": round(p95, 1),
        "max": round(taken[-1], 1),
        "gave_up": refused,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    chosen = parser.parse_args()
    rng = random.Random(chosen.seed)
    texts = read_texts(chosen.shared)
    with tempfile.TemporaryDirectory(prefix="opinion-facets-") as home:
        Path(home).chmod(0o755)
        with EmbeddedPostgres(Path(home), is_durable=False) as postgres:
            assert postgres.url
            migrate.upgrade(postgres.url)
            engine = connect(postgres.url, pool_size=8)
            Partitions(engine).ensure(START + LENGTH * n / 10 for n in range(11))
            fill(engine, make_documents(texts, chosen.documents, chosen.seed), chosen.documents, chosen.seed)
            with engine.begin() as connection:
                connection.execute(
                    text("INSERT INTO document_key (id, published_at) SELECT id, published_at FROM document")
                )
            now = START + LENGTH
            build_indexes(engine, chosen.documents, now)
            figures: dict[str, Any] = {"documents": chosen.documents, "rounds": chosen.rounds}
            with (
                serving(create_app(engine, clock=MovableClock(now))) as url,
                httpx.Client(base_url=url, headers={"accept": "text/html"}, timeout=60) as client,
            ):
                makers = addresses(words_by_share(texts, rng), chosen.documents, rng)
                for name, make in makers.items():
                    client.get(make())
                    figures[name] = timed(client, make, chosen.rounds)
                    print(f"{name:32} {figures[name]}", flush=True)
            figures["console_bytes"] = psutil.Process().memory_info().rss
            engine.dispose()
    target = Path("var/bench/facets.json")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
