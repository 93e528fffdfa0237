"""What a page and its JSON twin show, read in one transaction."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from fastapi.exceptions import RequestValidationError
from sqlalchemy import Connection

from core.queries import Query, QueryError, parse_query
from storage import watchlists
from storage.queries import (
    Champion,
    DocumentView,
    Fates,
    Freshness,
    Incident,
    champion,
    fates,
    firing_count,
    freshness,
    incidents,
    is_known,
    newest_documents,
)
from storage.search import Wanted, search
from storage.series import (
    Counts,
    Group,
    GroupCounts,
    Span,
    breakdown,
    choices,
    total,
)
from web.view import DocumentsView, View, Window, compared_span, window_of

MOST_COMPARED = 500  # groups of a week ago, of which the present ones are wanted
MOST_CHOICES = 200


@dataclass(frozen=True, slots=True)
class Overview:
    """The first page: how much came, what became of it, how it reads, what fires.

    Attributes:
        compared, before: what the window is compared with, and the same counts for it: the span of equal length
            before, or the same time a week earlier.
        hour, last_hour: the hour before the window's end, and the documents published in it.
    """

    window: Window
    freshness: Freshness
    fates: Fates
    counts: Counts
    compared: Span
    before: Counts
    hour: Span
    last_hour: int
    groups: list[GroupCounts]
    incidents: list[Incident]
    firing: int
    champion: Champion | None


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """Documents, newest first; `next` is the `before` of the following page."""

    documents: list[DocumentView]
    next: str | None


def read_overview(connection: Connection, view: View, now: datetime, zone: ZoneInfo) -> Overview:
    """Everything on the first page but the chart and the documents."""
    age = freshness(connection)
    window = window_of(view, age, now, zone)
    span = window.span
    before = compared_span(view, span)
    hour = Span(span.end - timedelta(hours=1), span.end)
    return Overview(
        window=window,
        freshness=age,
        fates=fates(connection),
        counts=total(connection, span, view.filters),
        compared=before,
        before=total(connection, before, view.filters),
        hour=hour,
        last_hour=total(connection, hour, view.filters).total,
        groups=_groups(connection, view, span, before),
        incidents=incidents(connection, span=span, limit=8),
        firing=firing_count(connection),
        champion=champion(connection),
    )


def _groups(connection: Connection, view: View, span: Span, before: Span) -> list[GroupCounts]:
    """The largest groups, beside what they were in the span that is compared with."""
    groups = breakdown(connection, span, view.by, view.filters)
    if view.compare is None:
        return groups
    then = {one.key: one.counts for one in breakdown(connection, before, view.by, view.filters, limit=MOST_COMPARED)}
    return [replace(one, before=then.get(one.key, Counts())) for one in groups]


def read_documents(connection: Connection, view: DocumentsView, now: datetime, zone: ZoneInfo) -> DocumentPage:
    """One page of documents.

    Raises:
        RequestValidationError: the query or the cursor cannot be understood.
        SearchTooLongError: see `storage.search`.
    """
    is_bounded = view.is_absolute or view.range != "all"
    span = window_of(view, freshness(connection), now, zone).span if is_bounded else None
    before = _cursor(view.before) if view.before else None
    if view.q is None and view.watchlist is None:  # the minute counts know where these are
        found = newest_documents(
            connection,
            filters=view.filters,
            sentiment=view.sentiment,
            span=span,
            before=before,
            limit=view.limit + 1,
        )
        return _page(found, view.limit)
    wanted = Wanted(
        query=_query(view.q) if view.q is not None else None,
        filters=replace(view.filters, watchlist=None),
        sentiment=view.sentiment,
        watchlist=view.watchlist,
        span=span,
        before=before,
        limit=view.limit + 1,
    )
    return _page(search(connection, wanted), view.limit)


def read_comments(connection: Connection, document_id: str, before: str | None, limit: int) -> DocumentPage | None:
    """One page of the documents that comment on this one; None when there are neither it nor any.

    Raises:
        RequestValidationError: the cursor cannot be understood.
        SearchTooLongError: see `storage.search`.
    """
    cursor = _cursor(before) if before else None
    found = search(connection, Wanted(comments_of=document_id, before=cursor, limit=limit + 1))
    if not found and not is_known(connection, document_id):
        return None
    return _page(found, limit)


def _page(found: list[DocumentView], limit: int) -> DocumentPage:
    last = found[limit - 1] if len(found) > limit else None
    return DocumentPage(found[:limit], f"{last.published_at.isoformat()},{last.id}" if last else None)


def _query(query: str) -> Query:
    try:
        return parse_query(query)
    except QueryError as error:
        problem = {"loc": ("query", "q"), "msg": error.message, "type": "query"}
        raise RequestValidationError([problem]) from error


def read_choices(connection: Connection, view: View, now: datetime, zone: ZoneInfo) -> dict[Group, list[str]]:
    """What the filters can be set to."""
    found = choices(connection, window_of(view, freshness(connection), now, zone).span)
    found.setdefault("watchlist", watchlists.names(connection, MOST_CHOICES))
    return found


def _cursor(before: str) -> tuple[datetime, str]:
    at, _, document_id = before.partition(",")
    try:
        seen_at = datetime.fromisoformat(at)
        if seen_at.tzinfo is None or not document_id:
            raise ValueError("a time with its zone, a comma and an id")
        seen_at = seen_at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        problem = {"loc": ("query", "before"), "msg": "not a cursor of this list", "type": "cursor"}
        raise RequestValidationError([problem]) from error
    return seen_at, document_id
