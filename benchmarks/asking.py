"""What people ask of a large database, and how long the answers take: p50 and p95 of repeated calls.

Used by `benchmarks.ten_million`. SQL goes over one connection, as a dashboard's does; the console and the API are
asked over HTTP. Beside them, in the same run: the look-up of one row by its key, and the same question to the minutes
alone. `cpu` is processor time of the server processes and of this one: on an idle machine the answer takes about as
long, on a busy one it says what the answer costs.
"""

# ruff: noqa: S608  # our own words

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median, quantiles
from typing import Any, Final
from urllib.parse import urlencode

import httpx
import psutil
from sqlalchemy import Connection, Engine, event, text

SPANS: Final = {"24 h": timedelta(days=1), "7 d": timedelta(days=7), "30 d": timedelta(days=30)}
GOAL_MS: Final = 200

_SPAN = "bucket_at >= :start AND bucket_at < :end"
_SUMS = "sum(total) AS total, sum(negative) AS negative"
VIEWS: Final = {
    "sentiment_minute, a source": f"SELECT bucket_at, {_SUMS} FROM bi.sentiment_minute "
    f"WHERE {_SPAN} AND source = 'source-003' GROUP BY 1",
    "sentiment_hour, a topic": f"SELECT bucket_at, {_SUMS} FROM bi.sentiment_hour "
    f"WHERE {_SPAN} AND topic_label = 'health' GROUP BY 1",
    "sentiment_day, by topic": f"SELECT local_day, topic_label, {_SUMS} FROM bi.sentiment_day WHERE {_SPAN} "
    "GROUP BY 1, 2",
    "sentiment_day, by source": f"SELECT source, {_SUMS} FROM bi.sentiment_day WHERE {_SPAN} GROUP BY 1",
    "watchlist_minute, one": f"SELECT bucket_at, {_SUMS} FROM bi.watchlist_minute "
    f"WHERE {_SPAN} AND watchlist = 'brand-07' GROUP BY 1",
    "watchlist_hour, one": f"SELECT bucket_at, {_SUMS} FROM bi.watchlist_hour "
    f"WHERE {_SPAN} AND watchlist = 'brand-07' GROUP BY 1",
    "watchlist_day, all": f"SELECT local_day, watchlist, {_SUMS} FROM bi.watchlist_day WHERE {_SPAN} GROUP BY 1, 2",
    "mention, one watchlist by day": "SELECT date_trunc('day', published_at), count(*), avg(score_negative) "
    "FROM bi.mention WHERE published_at >= :start AND published_at < :end AND watchlist = 'brand-07' GROUP BY 1",
}
OVER_MINUTES: Final = {
    "sentiment_day, by topic": f"SELECT date_trunc('day', bucket_at), topic_label, {_SUMS} "
    f"FROM bi.sentiment_minute WHERE {_SPAN} GROUP BY 1, 2",
}
WHOLE: Final = {
    "source": "SELECT * FROM bi.source",
    "topic": "SELECT * FROM bi.topic",
    "watchlist": "SELECT * FROM bi.watchlist",
    "model": "SELECT * FROM bi.model",
}
LIMIT: Final = "SELECT total FROM opinion_minute WHERE bucket_at = :at AND source = 'source-003' LIMIT 1"
PAGES: Final = ("/", "/documents", "/incidents")
CHARTS: Final = [
    ("/api/v1/overview", {}),
    *(("/api/v1/series", {"by": by}) for by in ("topic", "source", "language", "watchlist")),
]
FILTERED: Final = [
    ("/api/v1/series", {"by": "source", "topic": "health"}),
    ("/api/v1/series", {"by": "topic", "source": "source-003"}),
    ("/api/v1/documents", {"topic": "health", "sentiment": "negative"}),
]


@dataclass(frozen=True)
class Answer:
    """How long one question took, in milliseconds."""

    what: str
    span: str
    p50: float
    p95: float
    cpu: float = float("nan")
    error: str = ""


class Meter:
    """Processor time of this process and of the PostgreSQL processes behind its connections."""

    def __init__(self, engine: Engine) -> None:
        self._servers: dict[int, psutil.Process] = {}
        event.listen(engine, "checkout", self._remember)

    def _remember(self, connection: Any, *_: object) -> None:
        pid = connection.info.backend_pid
        if pid not in self._servers:
            self._servers[pid] = psutil.Process(pid)

    def seconds(self) -> float:
        times = [one.cpu_times() for one in self._servers.values() if one.is_running()]
        return time.process_time() + sum(one.user + one.system for one in times)


def measure(what: str, span: str, ask: Callable[[], object], calls: int, meter: Meter) -> Answer:
    """Once to warm up, then `calls` times."""
    taken = []
    try:
        ask()
        spent = meter.seconds()
        for _ in range(calls):
            started = time.perf_counter()
            ask()
            taken.append(1000 * (time.perf_counter() - started))
    except Exception as error:  # a table with a hole says more than none
        return Answer(what, span, float("nan"), float("nan"), error=str(error).splitlines()[0][:80])
    cpu = 1000 * (meter.seconds() - spent) / calls
    return Answer(what, span, median(taken), quantiles(taken, n=20)[-1] if len(taken) > 1 else taken[0], cpu)


def ask_sql(connection: Connection, meter: Meter, end: datetime, calls: int) -> Iterator[Answer]:
    """The limit, then every view of counts for every span, then those without a span."""

    def run(query: str, **values: Any) -> object:
        found = connection.execute(text(query), values).all()
        connection.rollback()
        return found

    yield measure("limit: one row by its key", "", lambda: run(LIMIT, at=end - timedelta(hours=1)), 10 * calls, meter)
    for name, length in SPANS.items():
        asked = {"start": end - length, "end": end}
        for what, query in VIEWS.items():
            yield measure(f"bi.{what}", name, lambda query=query, asked=asked: run(query, **asked), calls, meter)  # type: ignore[misc]
        for what, query in OVER_MINUTES.items():
            few = max(2, calls // 5)
            limit = f"limit: minutes for {what}"
            yield measure(limit, name, lambda query=query, asked=asked: run(query, **asked), few, meter)  # type: ignore[misc]
    for what, query in WHOLE.items():
        yield measure(f"bi.{what}", "all", lambda query=query: run(query), calls, meter)  # type: ignore[misc]


def ask_http(client: httpx.Client, meter: Meter, end: datetime, calls: int) -> Iterator[Answer]:
    """Every page and every chart for every span."""

    def get(url: str) -> object:
        response = client.get(url)
        response.raise_for_status()
        return response.content

    for name, length in SPANS.items():
        span = {"from": (end - length).isoformat(), "to": end.isoformat()}
        for path in PAGES:
            url = f"{path}?{urlencode(span)}" if path in {"/", "/documents"} else path
            yield measure(path, name, lambda url=url: get(url), calls, meter)  # type: ignore[misc]
        for path, given in [*CHARTS, *FILTERED]:
            url = f"{path}?{urlencode({**given, **span})}"
            what = f"{path} {' '.join(f'{key}={value}' for key, value in given.items())}"
            yield measure(what, name, lambda url=url: get(url), calls, meter)  # type: ignore[misc]


def table(answers: list[Answer]) -> str:
    """The answers as lines, slow ones marked."""
    lines = [f"{'what':50} {'span':5} {'p50 ms':>8} {'p95 ms':>8} {'cpu ms':>8}"]
    for one in answers:
        mark = one.error or ("over the goal" if one.p95 > GOAL_MS and not one.what.startswith("limit") else "")
        lines.append(f"{one.what:50} {one.span:5} {one.p50:8.1f} {one.p95:8.1f} {one.cpu:8.1f}  {mark}")
    return "\n".join(lines)
