"""How long until the first page says something, on a million documents?

    python -m benchmarks.first_view [--documents 1000000] [--visits 10] [--seed 7]

Thirty days of documents of twenty sources and seventeen topics, with their minute counts, judged by the detector,
so that the expected band is drawn too. A headless Chromium with an empty cache opens the page and is watched from
inside: when something is painted first, and when both charts are drawn, which is the first useful view. Beside it, in
turns, the same browser opens a page of the same console that reads nothing from the database, "there is no such
page": what this machine takes to start, fetch the same styles and scripts, and paint anything at all.

Prints p50, p95 and max, and how many times as long as that page the charts take; writes var/bench/first_view.json.
Needs some 1 GB of disk while it runs.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from playwright.sync_api import Browser
from psycopg.types.json import Jsonb
from sqlalchemy import Engine, text

from alerts.detection.detectors import DetectorOptions
from alerts.detection.judging import ClockOptions
from alerts.detection.rules import Rule
from alerts.evaluate import EvaluateOptions, evaluate
from benchmarks.store import make_rows
from core.clock import MovableClock
from opinion.rolling_up import RollUpJob
from storage import bucket_counts, migrate, rollups
from storage.copying import copy_rows
from storage.documents import DocumentRow
from storage.engine import connect
from storage.local import EmbeddedPostgres
from storage.partitions import Partitions
from storage.tables import document
from tests.support.consoles import chromium_browser, serving
from web.app import create_app

LIMIT_MS = 1_000  # until the first useful view
END = datetime(2024, 6, 1, tzinfo=UTC)
LENGTH = timedelta(days=30)
SOURCES = 20
TOPICS = 17
NOTHING = "/no-such-page"
PAGES = {"/": "24 h", "/?range=7d&compare=week": "7 d beside last week", "/?range=30d": "30 d"}
WATCH = """
    new MutationObserver((_, watching) => {
      if (!document.querySelector("[data-drawn]")) return;
      window.drawnAt = performance.now();
      watching.disconnect();
    }).observe(document, { attributes: true, childList: true, subtree: true, attributeFilter: ["data-drawn"] });
"""


def make_documents(count: int, seed: int) -> Iterator[DocumentRow]:
    """In order of time; a few sources and topics hold most of them."""
    rng = random.Random(seed)
    shape = make_rows("shape", 1)[0]._asdict() | {"topic_scores": Jsonb({"finance": 0.75})}
    for n in range(count):
        values = shape | {
            "published_at": END - LENGTH + LENGTH * n / count,
            "id": f"bench:{n}",
            "source": f"source-{min(int(rng.expovariate(0.3)), SOURCES - 1)}",
            "topic_label": f"topic-{min(int(rng.expovariate(0.25)), TOPICS - 1)}",
            "sentiment": rng.choices(("negative", "neutral", "positive"), (2, 5, 3))[0],
            "record_offset": n,
        }
        yield DocumentRow(**values)


def fill(engine: Engine, count: int, seed: int) -> None:
    """COPY the documents, make the minute counts of them, and judge."""
    Partitions(engine).ensure([END - LENGTH + LENGTH * n / 30 for n in range(31)])
    with engine.begin() as connection:
        copy_rows(connection, "document", document, make_documents(count, seed))
        counts = """
            INSERT INTO opinion_minute (bucket_at, source, kind, lang, topic_label, model_version, total, negative,
                                        neutral, positive)
            SELECT date_trunc('minute', published_at), source, kind, lang, topic_label, model_version, count(*),
                   count(*) FILTER (WHERE sentiment = 'negative'), count(*) FILTER (WHERE sentiment = 'neutral'),
                   count(*) FILTER (WHERE sentiment = 'positive')
            FROM document GROUP BY 1, 2, 3, 4, 5, 6
        """
        connection.execute(text(counts))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM (ANALYZE)"))
    roll_up(engine)
    options = EvaluateOptions([Rule("overall")], ClockOptions(DetectorOptions()), [], "http://127.0.0.1")
    is_behind = True
    while is_behind:
        with engine.begin() as connection:
            newest = bucket_counts.newest_minutes(connection, not_after=END)
            is_behind = evaluate(connection, newest, options, now=END).is_behind


def visit(browser: Browser, url: str) -> dict[str, float]:
    """Milliseconds since the visit began, in a context of its own, whose cache is empty."""
    context = browser.new_context(viewport={"width": 1360, "height": 900}, locale="zh-CN")
    page = context.new_page()
    page.add_init_script(WATCH)
    page.goto(url)
    if NOTHING not in url:
        page.wait_for_selector("[data-drawn]")
    found: dict[str, float] = page.evaluate(
        """() => ({
            answered: performance.getEntriesByType("navigation")[0].responseEnd,
            painted: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0,
            drawn: window.drawnAt ?? 0,
        })"""
    )
    context.close()
    return found


def summary(times: Sequence[float]) -> dict[str, float]:
    ordered = sorted(times)
    p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return {"p50_ms": round(median(ordered), 1), "p95_ms": round(p95, 1), "max_ms": round(ordered[-1], 1)}


def measure(browser: Browser, url: str, visits: int) -> dict[str, Any]:
    """Pages and the probe in turns, after a visit of each that is not counted."""
    paths = [*PAGES, NOTHING]
    found: dict[str, list[dict[str, float]]] = {path: [] for path in paths}
    for nth in range(visits + 1):
        for path in paths:
            taken = visit(browser, url + path)
            if nth:
                found[path].append(taken)
    nothing = [one["painted"] for one in found[NOTHING]]
    figures: dict[str, Any] = {"a page without data, painted": summary(nothing)}
    for path, name in PAGES.items():
        figures[name] = {
            part: summary([one[part] for one in found[path]]) for part in ("answered", "painted", "drawn")
        }
        figures[name]["drawn_over_nothing"] = round(figures[name]["drawn"]["p50_ms"] / median(nothing), 2)
    with httpx.Client(base_url=url) as client:
        for path in ("/api/v1/series", "/api/v1/overview"):
            took = []
            for _ in range(visits):
                started = time.perf_counter()
                client.get(path).raise_for_status()
                took.append(1000 * (time.perf_counter() - started))
            figures[path] = summary(took)
    return figures


def show(figures: dict[str, Any]) -> None:
    print(f"\n{'':28}{'':12}{'p50 ms':>10}{'p95 ms':>10}{'max ms':>10}")
    for name, one in figures.items():
        parts = one if isinstance(one.get("drawn"), dict) else {"": one}
        for part, times in parts.items():
            if isinstance(times, dict):
                print(f"{name:28}{part:12}" + "".join(f"{times[key]:10}" for key in ("p50_ms", "p95_ms", "max_ms")))
        if parts is one:
            print(f"{name:28}drawn is {one['drawn_over_nothing']} times a page without data")


def roll_up(engine: Engine) -> None:
    """Hours and days, as the scheduler has made them long before anybody looks."""
    job = RollUpJob(engine, quiet=timedelta(0))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while rollups.waiting(connection) > 1:
            job(lambda: False)
        connection.execute(text("ANALYZE"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--visits", type=int, default=10)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, chromium_browser() as browser:
        if browser is None:
            sys.exit("there is no Chromium here: apt install chromium, or playwright install chromium")
        Path(folder).chmod(0o755)  # PostgreSQL may run as another account
        with EmbeddedPostgres(Path(folder)) as postgres:
            assert postgres.url
            migrate.upgrade(postgres.url)
            engine = connect(postgres.url)
            started = time.perf_counter()
            fill(engine, arguments.documents, arguments.seed)
            print(f"{arguments.documents:,} documents in {time.perf_counter() - started:.0f} s", flush=True)
            with serving(create_app(engine, clock=MovableClock(END))) as url:
                figures = measure(browser, url, arguments.visits)
            engine.dispose()
    show(figures)
    out = Path("var/bench/first_view.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"documents": arguments.documents, "seed": arguments.seed, **figures}, indent=1))
    slowest = figures["24 h"]["drawn"]["p50_ms"]
    print(f"\nfirst useful view: {slowest} ms, limit {LIMIT_MS} ms")


if __name__ == "__main__":
    main()
