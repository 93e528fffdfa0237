"""What the page of documents shows: matches with their words marked, and one of each text that many carry."""

import time
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from core.folding import fold
from core.queries import Query, places
from core.watchlists import Span
from storage.copy_carriers import CopyGroup, groups_of
from storage.queries import DocumentView
from web.highlighting import MOST_MARKS, Piece, pieces
from web.readings import read_documents
from web.view import ListView

EXCERPT: Final = 280  # characters of a text in the list
LEAD: Final = 60  # of these before the first match
MOST_READS: Final = 5  # pages of copies that are looked through to fill one
READ_SECONDS: Final = 2.0


class Excerpt(NamedTuple):
    """A title and a stretch of a text in pieces, the words that were looked for marked.

    Attributes:
        is_begun, is_cut: there is more before it, or after it.
        is_below: the words stand further down than a list has the text.
    """

    title: list[Piece]
    text: list[Piece]
    is_begun: bool
    is_cut: bool
    is_below: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """A document in the list. `group`: the copies that it stands for."""

    document: DocumentView
    excerpt: Excerpt
    group: CopyGroup | None


@dataclass(frozen=True, slots=True)
class Listing:
    """One page. `folded`: copies that were left out of it; `next`: the `before` of the following page."""

    entries: list[Entry]
    folded: int
    next: str | None


def read_listing(
    connection: Connection, view: ListView, query: Query | None, now: datetime, zone: ZoneInfo
) -> Listing:
    """One page of documents; of copies the newest stands for the others, unless all are asked for.

    Raises:
        RequestValidationError, SearchTooLongError: see `read_documents`.
    """
    started = time.monotonic()
    entries: list[Entry] = []
    seen: set[int] = set()
    folded, last, before = 0, None, view.before
    for _ in range(MOST_READS):
        found = read_documents(connection, view.model_copy(update={"before": before}), now, zone)
        groups = groups_of(connection, [(one.published_at, one.id) for one in found.documents])
        for one in found.documents:
            group = groups.get(one.id)
            is_copy = view.copies == "one" and group is not None and group.cluster in seen
            if not is_copy and len(entries) == view.limit:
                return Listing(entries, folded, last)
            last = f"{one.published_at.isoformat()},{one.id}"
            if is_copy:
                folded += 1
                continue
            if group is not None:
                seen.add(group.cluster)
            entries.append(Entry(one, excerpt_of(one, query), group))
        before = found.next
        if before is None or len(entries) == view.limit or time.monotonic() - started > READ_SECONDS:
            break
    return Listing(entries, folded, before)


def excerpt_of(document: DocumentView, query: Query | None) -> Excerpt:
    """What a list shows of it: the beginning, or where the query's words stand."""
    in_title = marks(query, document.title or "")
    in_text = marks(query, document.text)
    first = min((one.start for one in in_text), default=0)
    start = first - LEAD if first > EXCERPT - LEAD else 0
    end = min(start + EXCERPT, len(document.text))
    return Excerpt(
        title=_marked(document.title or "", in_title, 0, len(document.title or "")),
        text=_marked(document.text, in_text, start, end),
        is_begun=start > 0,
        is_cut=end < len(document.text),
        is_below=query is not None and not in_title and not in_text,
    )


def marks(query: Query | None, text: str) -> list[Span]:
    """Where words of the query stand in a text, as it came."""
    if query is None or not text:
        return []
    folded = fold(text, simplify=False)
    found = islice(places(query, folded.text), MOST_MARKS)
    return [Span(folded.starts[start], folded.ends[end - 1]) for start, end in found]


def marked(query: Query | None, text: str) -> list[Piece]:
    """A whole text with the query's words marked."""
    return _marked(text, marks(query, text), 0, len(text))


def _marked(text: str, found: list[Span], start: int, end: int) -> list[Piece]:
    return pieces(text, {"match": found}, start, end) if text else []
