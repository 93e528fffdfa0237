"""What a page and its JSON twin show, read in one transaction."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from fastapi.exceptions import RequestValidationError
from sqlalchemy import Connection

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
    newest_documents,
)
from storage.series import (
    Counts,
    Group,
    GroupCounts,
    Line,
    Span,
    breakdown,
    buckets_of,
    choices,
    choose_step,
    lines,
    total,
)
from web.view import DocumentsView, View, Window, window_of

LINES = 5  # more lines in one chart cannot be told apart
PAGE = 50


@dataclass(frozen=True, slots=True)
class Overview:
    """The first page: how much came, what became of it, how it reads, what fires.

    Attributes:
        before: the same counts for the span of equal length before the window.
        last_hour: documents published in the hour before the window's end.
    """

    window: Window
    freshness: Freshness
    fates: Fates
    counts: Counts
    before: Counts
    last_hour: int
    groups: list[GroupCounts]
    incidents: list[Incident]
    firing: int
    champion: Champion | None


@dataclass(frozen=True, slots=True)
class Chart:
    """Counts over event time: everything together, and the largest groups one by one."""

    window: Window
    step_seconds: int
    starts: list[datetime]
    everything: Line
    groups: list[Line]
    incidents: list[Incident]


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
    hour = Span(span.end - timedelta(hours=1), span.end)
    return Overview(
        window=window,
        freshness=age,
        fates=fates(connection),
        counts=total(connection, span, view.filters),
        before=total(connection, Span(span.start - span.length, span.start), view.filters),
        last_hour=total(connection, hour, view.filters).total,
        groups=breakdown(connection, span, view.by, view.filters),
        incidents=incidents(connection, span=span, limit=8),
        firing=firing_count(connection),
        champion=champion(connection),
    )


def read_chart(connection: Connection, view: View, now: datetime, zone: ZoneInfo) -> Chart:
    """The lines of the overview's and an incident's charts."""
    window = window_of(view, freshness(connection), now, zone)
    documents = total(connection, window.span, view.filters).total
    buckets = buckets_of(window.span, choose_step(window.span.length, documents), zone)
    keys = [group.key for group in breakdown(connection, window.span, view.by, view.filters, limit=LINES)]
    (everything,) = lines(connection, buckets, zone, filters=view.filters)
    return Chart(
        window=window,
        step_seconds=int(buckets.step.total_seconds()),
        starts=buckets.starts,
        everything=everything,
        groups=lines(connection, buckets, zone, filters=view.filters, by=view.by, keys=keys),
        incidents=incidents(connection, span=window.span),
    )


def read_documents(
    connection: Connection, view: DocumentsView, now: datetime, zone: ZoneInfo, *, limit: int = PAGE
) -> DocumentPage:
    """One page of documents."""
    is_bounded = view.is_absolute or view.range != "all"
    window = window_of(view, freshness(connection), now, zone) if is_bounded else None
    found = newest_documents(
        connection,
        filters=view.filters,
        sentiment=view.sentiment,
        span=window.span if window else None,
        before=_cursor(view.before) if view.before else None,
        limit=limit + 1,
    )
    last = found[limit - 1] if len(found) > limit else None
    return DocumentPage(found[:limit], f"{last.published_at.isoformat()},{last.id}" if last else None)


def read_choices(connection: Connection, view: View, now: datetime, zone: ZoneInfo) -> dict[Group, list[str]]:
    """What the filters can be set to."""
    return choices(connection, window_of(view, freshness(connection), now, zone).span)


def _cursor(before: str) -> tuple[datetime, str]:
    at, _, document_id = before.partition(",")
    try:
        seen_at = datetime.fromisoformat(at)
        if seen_at.tzinfo is None or not document_id:
            raise ValueError("a time with its zone, a comma and an id")
    except ValueError as error:
        problem = {"loc": ("query", "before"), "msg": "not a cursor of this list", "type": "cursor"}
        raise RequestValidationError([problem]) from error
    return seen_at, document_id
