"""How a result divides: by topic, source, language, sentiment, kind, watchlist and time, with documents of each.

Without a text query the minute counts know it all. With one, or with a watchlist, the newest matches are read and
counted, at most `MOST_READ` of them, and the answer says so.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import nlargest
from itertools import pairwise
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Interval, Table, cast, func, literal, select, text, tuple_

from core.records import Kind
from core.taxonomy import SENTIMENTS, Sentiment
from storage.search import Wanted, search
from storage.series import STEPS, Buckets, Filters, Span, buckets_of
from storage.tables import opinion_minute, watchlist_minute

Dimension = Literal["topic", "source", "language", "sentiment", "kind", "watchlist"]

MOST_READ: Final = 1000
MOST_CHOICES: Final = 200  # of one dimension
MOST_BARS: Final = 40
READ_SECONDS: Final = 3.0
_COLUMNS: Final = {"topic": "topic_label", "source": "source", "language": "lang", "kind": "kind"}


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
        copies: of these, documents of which an earlier one is a copy; None where they were not counted.
        is_complete: they are all there are; else the newest.
        choices: by dimension, the largest first.
        step_seconds: the length of each bar.
    """

    documents: int
    copies: int | None
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
    """From the minute counts: all documents of the span, in one pass over its minutes."""
    table, buckets = opinion_minute, _buckets(span, zone)
    at = func.date_bin(cast(literal(buckets.step), Interval), table.c.bucket_at, literal(buckets.starts[0]))
    start = at.label("start")
    columns = [table.c[name] for name in _COLUMNS.values()]
    matches = table.c[sentiment or "total"]
    sums = [func.sum(one) for one in (matches, table.c[f"{sentiment}_copies" if sentiment else "copies"])]
    split = [func.sum(table.c[one]) for one in SENTIMENTS]
    sets = func.grouping_sets(*(tuple_(one) for one in (*columns, start)), tuple_())
    found = connection.execute(
        select(*columns, start, func.grouping(*columns, start), *sums, *split)
        .where(*_within(table, span, filters, kind), matches > 0)
        .group_by(sets)
    )
    counts: dict[Dimension, list[tuple[str, int]]] = {}
    bars: dict[datetime, int] = {}
    documents = copies = 0
    for row in found:
        values, (grouping, total, repeated, *by_sentiment) = row[: len(columns) + 1], row[len(columns) + 1 :]
        if grouping == 2 ** len(values) - 1:
            documents, copies = int(total or 0), int(repeated or 0)
            counts["sentiment"] = [
                (one, int(count or 0))
                for one, count in zip(SENTIMENTS, by_sentiment, strict=True)
                if sentiment in (None, one)
            ]
            continue
        nth = next(nth for nth in range(len(values)) if not grouping & 1 << (len(values) - 1 - nth))
        if nth == len(columns):
            bars[values[nth]] = int(total)
        else:
            counts.setdefault(_dimension(nth), []).append((values[nth], int(total)))
    choices = {name: _largest(pairs) for name, pairs in counts.items()}
    choices["watchlist"] = _watchlists(connection, span, filters, kind, is_counted=sentiment is None)
    step = int(buckets.step.total_seconds())
    return Facets(documents, copies, True, choices, step, [Bar(one, bars.get(one, 0)) for one in buckets.starts])


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
        return Facets(0, None, True)
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
    return Facets(len(found), None, is_complete, choices, int(buckets.step.total_seconds()), bars)


def _dimension(nth: int) -> Dimension:
    names: tuple[Dimension, ...] = ("topic", "source", "language", "kind")
    return names[nth]


def _buckets(span: Span, zone: ZoneInfo) -> Buckets:
    step = next((step for step in STEPS if span.length / step <= MOST_BARS), STEPS[-1])
    return buckets_of(span, step, zone)


def _largest(pairs: Sequence[tuple[str, int]]) -> list[Choice]:
    largest = nlargest(MOST_CHOICES, ((count, value) for value, count in pairs if count))
    return [Choice(value, count) for count, value in sorted(largest, key=lambda one: (-one[0], one[1]))]


def _within(table: Table, span: Span, filters: Filters, kind: Kind | None) -> list[Any]:
    at = table.c.bucket_at
    given = [table.c[_COLUMNS[group]] == value for group, value in filters.given() if group in _COLUMNS]
    return [at >= span.start, at < span.end, *given, *([table.c.kind == kind] if kind else [])]


def _watchlists(
    connection: Connection, span: Span, filters: Filters, kind: Kind | None, *, is_counted: bool
) -> list[Choice]:
    """Watchlists that documents of the span mention. Their counts are by the sentiment toward the watchlist, which is
    not the document's, so with a sentiment they are named without a number."""
    table = watchlist_minute
    documents = func.sum(table.c.total)
    rows = connection.execute(
        select(table.c.watchlist, documents)
        .where(*_within(table, span, filters, kind), table.c.total > 0)
        .group_by(table.c.watchlist)
        .order_by(documents.desc(), table.c.watchlist)
        .limit(MOST_CHOICES)
    )
    return [Choice(name, int(count) if is_counted else None) for name, count in rows]


_MENTIONED = text("""
    SELECT m.watchlist FROM unnest(CAST(:times AS timestamptz[]), CAST(:ids AS text[])) AS k(published_at, id)
    JOIN mention AS m ON m.published_at = k.published_at AND m.document_id = k.id
""")


def _mentioned(connection: Connection, keys: Sequence[tuple[datetime, str]]) -> list[str]:
    return list(connection.scalars(_MENTIONED, {"times": [at for at, _ in keys], "ids": [one for _, one in keys]}))
