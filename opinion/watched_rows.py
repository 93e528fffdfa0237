"""Which watchlists watch the held-out texts, so that the gate can judge what people pay attention to."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from core.errors import UsageError
from core.watchlist_entries import watchlist_of
from core.watchlists import Rule, Watchlists
from models.datasets import LabelledText
from storage import watchlists
from storage.watchlists import StoredWatchlist


def watched(connection: Connection, rows: Sequence[LabelledText]) -> list[LabelledText]:
    """The rows with the names of the active watchlists that match them; an unusable definition matches none."""
    finder = Watchlists.of(_rules(watchlists.active(connection)))
    return [
        replace(row, watchlists=tuple(finder.find(row.text, source=row.source, lang=row.lang or ""))) for row in rows
    ]


def _rules(stored: Iterable[StoredWatchlist]) -> Iterator[Rule]:
    for one in stored:
        try:
            yield Rule(watchlist_of(one.name, one.definition))
        except UsageError:  # somebody wrote it by SQL; the workers report it
            continue
