"""Finding documents, newest first, in bounded time.

Event time is searched in stretches from the newest: those that a search index covers (`storage.search_slices`), and
those that none does yet. A stretch with an index is first probed by reading its newest rows, which is enough for a
frequent word; a rarer one is looked up, and then has few hits to sort. Without an index the rows are read in order.
What SQL finds is checked against the text by `core.queries.matches`, which alone decides.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg.errors
from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import OperationalError

from core.errors import OpinionError
from core.folding import fold
from core.queries import Query, matches
from core.records import Kind
from core.taxonomy import Sentiment
from core.windows import MINUTE
from storage.queries import DOCUMENT_COLUMNS, EXCERPT_CHARS, DocumentView, freshness, with_people
from storage.search_slices import cover, read_slices
from storage.search_terms import condition, lookup
from storage.series import EVERYTHING, Filters, Span

PROBED: Final = 200  # rows; a word that stands in every tenth document fills a page with them
SECONDS: Final = 5.0  # so long somebody waits for a page
MOST: Final = 200  # documents in one page
_SETTINGS: Final = {
    "jit": "off",  # takes longer than the query
    "work_mem": "64MB",  # a bitmap of hits that does not fit loses rows, and their vectors are made anew
    "max_parallel_workers_per_gather": "0",
    "enable_memoize": "off",  # no text comes twice
}


class SearchTooLongError(OpinionError):
    """The search took too long and was given up."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"the search was given up after {seconds:g} s",
            remedy="add a word or a filter, or narrow the time; documents without a search index take longest",
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to find. None leaves a dimension open.

    Attributes:
        comments_of: id of the document that the wanted ones comment on.
        before: `(published_at, id)` of the last document already seen.
        limit: of a page at most `MOST`; who counts asks for more.
    """

    query: Query | None = None
    filters: Filters = EVERYTHING
    sentiment: Sentiment | None = None
    kind: Kind | None = None
    watchlist: str | None = None
    comments_of: str | None = None
    span: Span | None = None
    before: tuple[datetime, str] | None = None
    limit: int = 20


def search(connection: Connection, wanted: Wanted, *, seconds: float = SECONDS) -> list[DocumentView]:
    """The newest documents that are wanted, newest first.

    Args:
        connection: in a transaction, of which the settings are changed until its end.

    Raises:
        SearchTooLongError: it would have taken longer, at most twice as long; the transaction is spent.
    """
    started = time.monotonic()
    found: list[DocumentView] = []
    try:
        for name, value in (*_SETTINGS.items(), ("statement_timeout", f"{1000 * seconds:.0f}")):
            connection.execute(text("SELECT set_config(:name, :value, true)"), {"name": name, "value": value})
        for keys in _candidates(connection, wanted):
            found += _checked(connection, wanted.query, keys)
            if len(found) >= wanted.limit:
                break
            if time.monotonic() - started > seconds:
                raise SearchTooLongError(seconds)
        return with_people(connection, found[: wanted.limit])
    except OperationalError as error:
        if isinstance(error.orig, psycopg.errors.QueryCanceled):
            raise SearchTooLongError(seconds) from error
        raise


_Key = tuple[datetime, str]


def _candidates(connection: Connection, wanted: Wanted) -> Iterator[list[_Key]]:
    """Keys of documents that may be wanted, newest first, in batches, some of them empty."""
    select = _Select(connection, wanted)
    if wanted.comments_of is not None:  # its own index finds them all
        yield from select.in_order(wanted.span, wanted.before)
        return
    span = _searched(connection, wanted)
    if span is None:
        return
    tsquery = lookup(wanted.query) if wanted.query else None
    pieces = cover(read_slices(connection), span) if tsquery else [(span, None)]
    for piece, indexed in pieces:
        if tsquery is None or indexed is None:
            yield from select.in_order(piece, wanted.before)
            continue
        walked, hits = select.probe(piece, wanted.before)
        yield hits
        if len(walked) == PROBED:
            yield from select.looked_up(piece, indexed, tsquery, walked[-1])


def _searched(connection: Connection, wanted: Wanted) -> Span | None:
    """Where in event time there can be documents that are wanted."""
    age = freshness(connection)
    if age.oldest_bucket_at is None or age.newest_bucket_at is None:
        return None
    start, end = age.oldest_bucket_at, age.newest_bucket_at + MINUTE
    if wanted.span:
        start, end = max(start, wanted.span.start), min(end, wanted.span.end)
    if wanted.before and wanted.before[0] < end:
        end = wanted.before[0] + timedelta(microseconds=1)
    return Span(start, end) if start < end else None


def _checked(connection: Connection, query: Query | None, keys: list[_Key]) -> list[DocumentView]:
    """The documents of these keys whose text is what the query asks for, in order."""
    if not keys:
        return []
    rows = connection.execute(_READ, {"times": [at for at, _ in keys], "ids": [key for _, key in keys]})
    return [_view(row) for row in rows if query is None or matches(query, _folded(row.title, row.text))]


def _folded(title: str | None, body: str) -> str:
    return fold(body if title is None else f"{title}\n{body}", simplify=False).text


def _view(row: Row[Any]) -> DocumentView:
    view = DocumentView(**row._mapping)
    return replace(view, text=view.text[:EXCERPT_CHARS])


_READ = text(
    f"SELECT {', '.join(f'd.{name}' for name in DOCUMENT_COLUMNS)} "  # noqa: S608  # our own names
    "FROM unnest(CAST(:times AS timestamptz[]), CAST(:ids AS text[])) AS k(published_at, id) "
    "JOIN document AS d ON d.published_at = k.published_at AND d.id = k.id "
    "ORDER BY d.published_at DESC, d.id DESC"
)
# OFFSET 0 keeps the function from being called once for each place where the folded text is used.
_FOLDED: Final = "CROSS JOIN LATERAL (SELECT search_fold(d.title, d.text) AS folded OFFSET 0) AS f"
_DOCUMENT: Final = (
    "SELECT * FROM document AS e WHERE e.published_at = m.published_at AND e.id = m.document_id OFFSET 0"
)
_MENTIONS: Final = (
    "EXISTS (SELECT FROM mention AS m WHERE m.published_at = d.published_at AND m.document_id = d.id "
    "AND m.watchlist = :watchlist)"
)


class _Select:
    """Makes and runs the statements of one search. Values are parameters; times are ours and stand in the text, so
    that the planner sees which partition and index they belong to."""

    def __init__(self, connection: Connection, wanted: Wanted) -> None:
        self._connection = connection
        self._page = max(2 * wanted.limit, 40)
        self._watchlist = wanted.watchlist
        self._values: dict[str, Any] = {}
        terms: dict[str, str] = {}
        self._condition = condition(wanted.query, terms) if wanted.query else None
        self._values |= terms
        self._folded = _FOLDED if self._condition else ""
        filters = {
            "source": wanted.filters.source,
            "topic_label": wanted.filters.topic,
            "lang": wanted.filters.language,
            "sentiment": wanted.sentiment,
            "kind": wanted.kind,
            "parent_id": wanted.comments_of,
        }
        given = {column: value for column, value in filters.items() if value is not None}
        self._values |= given | ({"watchlist": wanted.watchlist} if wanted.watchlist is not None else {})
        self._filters = [f"d.{column} = :{column}" for column in given]
        self._conditions = [*self._filters, *([self._condition] if self._condition else [])]
        self._ordered = [one for one in self._filters if one.startswith("d.source")]  # an index has these in order

    def probe(self, span: Span, before: _Key | None) -> tuple[list[_Key], list[_Key]]:
        """The newest `PROBED` rows of the span, and which of them may be wanted."""
        columns = "published_at, id, title, text, source, topic_label, lang, kind, sentiment, parent_id"
        walked = ", ".join(f"d.{name}" for name in columns.split(", "))
        rows = self._run(
            f"WITH walked AS MATERIALIZED (SELECT {walked} "  # noqa: S608  # values are bound
            f"{self._in_order(span, before, self._ordered)} LIMIT :limit) "
            f"SELECT d.published_at, d.id, {' AND '.join(self._conditions or ['true'])} FROM walked AS d {_FOLDED} "
            "ORDER BY d.published_at DESC, d.id DESC",
            before,
            PROBED,
        )
        return [(at, key) for at, key, _ in rows], [(at, key) for at, key, is_hit in rows if is_hit]

    def in_order(self, span: Span | None, before: _Key | None) -> Iterator[list[_Key]]:
        """All that may be wanted of the span, by reading it."""
        return self._pages(
            before, lambda before: f"SELECT d.published_at, d.id {self._in_order(span, before, self._conditions)}"
        )

    def looked_up(self, span: Span, indexed: Span, tsquery: str, before: _Key | None) -> Iterator[list[_Key]]:
        """All that may be wanted of the span, by looking it up in the index that covers `indexed`.

        What narrows the hits further comes behind a fence: else the planner may rather make vectors of rows in order,
        or of all mentions.
        """
        self._values["tsquery"] = tsquery
        found = ["search_vector(d.title, d.text) @@ CAST(:tsquery AS tsquery)", *self._conditions]
        among = [] if self._watchlist is None else [_MENTIONS]
        hits = (
            f"WITH d AS MATERIALIZED (SELECT d.published_at, d.id FROM document AS d {self._folded} "  # noqa: S608
            f"WHERE {_within('d', 'id', indexed, None, found)}) SELECT d.published_at, d.id FROM d"
        )
        return self._pages(
            before,
            lambda before: (
                f"{hits} WHERE {_within('d', 'id', span, before, among)} ORDER BY d.published_at DESC, d.id DESC"
            ),
        )

    def _pages(self, before: _Key | None, statement: Callable[[_Key | None], str]) -> Iterator[list[_Key]]:
        size = self._page
        while True:
            rows = self._run(f"{statement(before)} LIMIT :limit", before, size)
            yield [(at, key) for at, key in rows]
            if len(rows) < size:
                return
            before = (rows[-1][0], rows[-1][1])
            size *= 2

    def _in_order(self, span: Span | None, before: _Key | None, conditions: list[str]) -> str:
        """FROM, WHERE and ORDER BY of rows in order of time. Those of a watchlist come from its mentions, each with
        its document behind a fence: else the planner may read all documents to join them."""
        if self._watchlist is None or "parent_id" in self._values:
            among = [] if self._watchlist is None else [_MENTIONS]
            return (
                f"FROM document AS d {self._folded} WHERE {_within('d', 'id', span, before, [*conditions, *among])} "
                "ORDER BY d.published_at DESC, d.id DESC"
            )
        of_watchlist = ["m.watchlist = :watchlist", *conditions]
        return (
            f"FROM mention AS m CROSS JOIN LATERAL ({_DOCUMENT}) AS d {self._folded} "
            f"WHERE {_within('m', 'document_id', span, before, of_watchlist)} "
            "ORDER BY m.published_at DESC, m.document_id DESC"
        )

    def _run(self, statement: str, before: _Key | None, limit: int) -> list[Any]:
        values = {**self._values, "limit": limit}
        if before:
            values |= {"before_at": before[0], "before_id": before[1]}
        return list(self._connection.execute(text(statement), values).all())


def _within(table: str, id_column: str, span: Span | None, before: _Key | None, conditions: list[str]) -> str:
    wanted = [*conditions]
    if span:
        wanted.append(f"{table}.published_at >= {_literal(span.start)}")
        wanted.append(f"{table}.published_at < {_literal(span.end)}")
    if before:
        wanted.append(f"({table}.published_at, {table}.{id_column}) < (:before_at, :before_id)")
    return " AND ".join(wanted) or "true"


def _literal(at: datetime) -> str:
    return f"CAST('{at:%Y-%m-%d %H.%M.%S.%f%z}' AS timestamptz)".replace(".", r"\:", 2)
