"""How a result divides: by topic, source, language, sentiment, kind, watchlist and time, with documents of each.

Without a text query the counts know it all. With one, or with a watchlist, the newest matches are read and
counted, at most `MOST_READ` of them, and the answer says so.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import nlargest
from itertools import pairwise
from typing import Final, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Interval, cast, func, literal, select, text, tuple_

from core.records import Kind
from core.taxonomy import SENTIMENTS, Sentiment
from storage import count_sources
from storage.count_sources import HOUR
from storage.search import Wanted, search
from storage.series import STEPS, Buckets, Filters, Span, buckets_of

Dimension = Literal["topic", "source", "language", "sentiment", "kind", "watchlist"]

MOST_READ: Final = 500
MOST_CHOICES: Final = 200  # of one dimension
MOST_BARS: Final = 40
READ_SECONDS: Final = 3.0
_COLUMNS: Final[dict[str, str]] = {"topic": "topic_label", "source": "source", "language": "lang", "kind": "kind"}
_DIMENSIONS: Final[tuple[Dimension, ...]] = ("topic", "source", "language", "kind")  # of the columns, in order


@dataclass(frozen=True, slots=True)
class Choice:
    """A value that the result can be narrowed to; `documents` is None where nobody counted them."""

    value: str
    documents: int | None


@dataclass(frozen=True, slots=True)
class Bar:
    """Documents from `start` on, until the next bar begins."""

    start: datetime
    documents: int


@dataclass(frozen=True, slots=True)
class Facets:
    """How a result divides.

    Attributes:
        documents: how many were counted; copies are among them.
        is_complete: they are all there are; else the newest.
        choices: by dimension, the largest first.
        step_seconds: the length of each bar.
    """

    documents: int
    is_complete: bool
    choices: dict[Dimension, list[Choice]] = field(default_factory=dict)
    step_seconds: int = 0
    bars: list[Bar] = field(default_factory=list)


def counted(
    connection: Connection,
    span: Span,
    zone: ZoneInfo,
    filters: Filters,
    sentiment: Sentiment | None = None,
    kind: Kind | None = None,
) -> Facets:
    """From the counts: all documents of the span, in one pass over them."""
    buckets = _buckets(span, zone)
    is_hourly = not buckets.step % HOUR and not buckets.starts[0].timestamp() % HOUR.total_seconds()
    within = [(span.start, span.end)]
    unit: count_sources.Unit = "hour" if is_hourly else "minute"
    source = count_sources.counted(within, _where(filters, kind), tuple(_COLUMNS.values()), unit=unit)
    at = func.date_bin(cast(literal(buckets.step), Interval), source.c.bucket_at, literal(buckets.starts[0]))
    columns = [source.c[name] for name in _COLUMNS.values()]
    matches = func.sum(source.c[sentiment or "total"])
    # Grouped once by everything, which is few rows, and these then by one thing after the other.
    grouped = (
        select(
            *columns,
            at.label("start"),
            matches.label("matches"),
            *(func.sum(source.c[one]).label(one) for one in SENTIMENTS),
        )
        .group_by(*columns, at)
        .having(matches > 0)
        .subquery("grouped")
    )
    parts = [*(grouped.c[name] for name in _COLUMNS.values()), grouped.c.start]
    sums = [func.sum(grouped.c[one]) for one in ("matches", *SENTIMENTS)]
    sets = func.grouping_sets(*(tuple_(one) for one in parts), tuple_())
    counts: dict[Dimension, list[tuple[str, int]]] = {}
    bars: dict[datetime, int] = {}
    documents = 0
    for row in connection.execute(select(func.grouping(*parts), *parts, *sums).group_by(sets)):
        grouping, values, (total, *by_sentiment) = row[0], row[1 : len(parts) + 1], row[len(parts) + 1 :]
        nth = next((nth for nth in range(len(parts)) if not grouping & 1 << (len(parts) - 1 - nth)), None)
        if nth is None:
            documents = int(total or 0)
            judged = zip(SENTIMENTS, by_sentiment, strict=True)
            counts["sentiment"] = [(one, int(count or 0)) for one, count in judged if sentiment in (None, one)]
        elif nth == len(_COLUMNS):
            bars[values[nth]] = int(total)
        else:
            counts.setdefault(_DIMENSIONS[nth], []).append((values[nth], int(total)))
    choices = {name: _largest(pairs) for name, pairs in counts.items()}
    choices["watchlist"] = _watchlists(connection, span, filters, kind, is_counted=sentiment is None)
    step = int(buckets.step.total_seconds())
    return Facets(documents, True, choices, step, [Bar(one, bars.get(one, 0)) for one in buckets.starts])


def read(connection: Connection, wanted: Wanted, zone: ZoneInfo, *, seconds: float = READ_SECONDS) -> Facets:
    """From the newest matches themselves.

    Args:
        wanted: its `before` and `limit` say nothing here.

    Raises:
        SearchTooLongError: see `storage.search`.
    """
    asked = Wanted(
        wanted.query,
        wanted.filters,
        wanted.sentiment,
        wanted.kind,
        wanted.watchlist,
        wanted.comments_of,
        wanted.span,
        limit=MOST_READ + 1,
    )
    found = search(connection, asked, seconds=seconds)
    is_complete = len(found) <= MOST_READ
    found = found[:MOST_READ]
    if not found:
        return Facets(0, True)
    counters: dict[Dimension, Iterable[str]] = {
        "topic": (one.topic_label for one in found),
        "source": (one.source for one in found),
        "language": (one.lang for one in found),
        "sentiment": (one.sentiment for one in found),
        "kind": (one.kind for one in found),
        "watchlist": _mentioned(connection, [(one.published_at, one.id) for one in found]),
    }
    choices = {name: _largest(list(Counter(values).items())) for name, values in counters.items()}
    buckets = _buckets(Span(found[-1].published_at, found[0].published_at + timedelta(seconds=1)), zone)
    edges = [*buckets.starts, buckets.span.end]
    times = sorted(one.published_at for one in found)
    bars = [Bar(start, sum(start <= at < end for at in times)) for start, end in pairwise(edges)]
    return Facets(len(found), is_complete, choices, int(buckets.step.total_seconds()), bars)


def _buckets(span: Span, zone: ZoneInfo) -> Buckets:
    step = next((step for step in STEPS if span.length / step <= MOST_BARS), STEPS[-1])
    return buckets_of(span, step, zone)


def _largest(pairs: Sequence[tuple[str, int]]) -> list[Choice]:
    largest = nlargest(MOST_CHOICES, ((count, value) for value, count in pairs if count))
    return [Choice(value, count) for count, value in sorted(largest, key=lambda one: (-one[0], one[1]))]


def _where(filters: Filters, kind: Kind | None) -> dict[str, str]:
    """By column, the value that is counted."""
    given = {_COLUMNS[group]: value for group, value in filters.given() if group in _COLUMNS}
    return given | ({"kind": kind} if kind else {})


def _watchlists(
    connection: Connection, span: Span, filters: Filters, kind: Kind | None, *, is_counted: bool
) -> list[Choice]:
    """Watchlists that documents of the span mention. Their counts are by the sentiment toward the watchlist, which is
    not the document's, so with a sentiment they are named without a number."""
    source = count_sources.counted([(span.start, span.end)], _where(filters, kind), ("watchlist",))
    documents = func.sum(source.c.total)
    rows = connection.execute(
        select(source.c.watchlist, documents)
        .group_by(source.c.watchlist)
        .having(documents > 0)
        .order_by(documents.desc(), source.c.watchlist)
        .limit(MOST_CHOICES)
    )
    return [Choice(name, int(count) if is_counted else None) for name, count in rows]


_MENTIONED = text("""
    SELECT m.watchlist FROM unnest(CAST(:times AS timestamptz[]), CAST(:ids AS text[])) AS k(published_at, id)
    JOIN mention AS m ON m.published_at = k.published_at AND m.document_id = k.id
""")


def _mentioned(connection: Connection, keys: Sequence[tuple[datetime, str]]) -> list[str]:
    return list(connection.scalars(_MENTIONED, {"times": [at for at, _ in keys], "ids": [one for _, one in keys]}))
