"""Where the words of watchlists stand in a document, as pieces that a template escapes one by one."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from sqlalchemy import Connection

from core.errors import UsageError
from core.watchlist_entries import watchlist_of
from core.watchlists import Span, Watchlist, Watchlists
from storage import mentions, watchlists
from storage.labelling_texts import LabellingText

MOST_MARKS: Final = 500  # of one watchlist: a text that repeats its word without end makes no endless page


class Piece(NamedTuple):
    """A part of a text, and the watchlists whose words it is, in one line; empty for the rest."""

    text: str
    watchlists: str = ""


def mentioned(connection: Connection, document: LabellingText) -> list[Watchlist]:
    """The watchlists that the document is known to mention; definitions that cannot be used are left out."""
    names = mentions.watchlists_of(connection, document.published_at, document.document_id)
    found = []
    for row in watchlists.some(connection, names):
        try:
            found.append(watchlist_of(row.name, row.definition))
        except UsageError:
            continue
    return found


def title_and_text(document: LabellingText, about: Sequence[Watchlist]) -> tuple[list[Piece], list[Piece]]:
    """The title (empty where it has none of its own) and the rest of what the classifier read, in pieces."""
    found = Watchlists(about).find(document.text, source=document.source, lang=document.lang)
    title = document.title or ""
    ends = len(title) if title and document.text.startswith(f"{title}\n") else 0
    return pieces(document.text, found, 0, ends), pieces(document.text, found, ends, len(document.text))


def pieces(text: str, found: dict[str, list[Span]], start: int, end: int) -> list[Piece]:
    """The text from `start` to `end`, cut wherever a mention begins or ends."""
    changes: dict[int, list[tuple[str, int]]] = {start: [], end: []}
    for name, spans in found.items():
        for one in spans[:MOST_MARKS]:
            for at, change in ((max(one.start, start), 1), (min(one.end, end), -1)):
                if one.start < end and one.end > start:
                    changes.setdefault(at, []).append((name, change))
    cut: list[Piece] = []
    open_now: Counter[str] = Counter()
    for left, right in pairwise(sorted(changes)):
        for name, change in changes[left]:
            open_now[name] += change
        cut.append(Piece(text[left:right], ", ".join(name for name, count in open_now.items() if count)))
    return cut
