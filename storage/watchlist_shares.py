"""How much is said of each watchlist in a span, how much of it is negative, and when something was said last."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, text

from storage.count_sources import counted
from storage.series import Span

_NEWEST = text("""
    SELECT name, newest.bucket_at FROM unnest(CAST(:names AS text[])) AS name
    CROSS JOIN LATERAL (
        SELECT bucket_at FROM watchlist_minute WHERE watchlist = name AND total > 0 ORDER BY bucket_at DESC LIMIT 1
    ) AS newest
""")


@dataclass(frozen=True, slots=True)
class WatchlistShare:
    """Of one watchlist.

    Attributes:
        total, negative: documents of the span that mention it, and those that are negative toward it.
        newest_at: the minute of the newest mention there is, whenever it was; None where there is none.
    """

    total: int = 0
    negative: int = 0
    newest_at: datetime | None = None

    @property
    def negative_share(self) -> float | None:
        """None where there is nothing to share."""
        return self.negative / self.total if self.total else None


def shares(connection: Connection, names: Sequence[str], span: Span) -> dict[str, WatchlistShare]:
    """Of each of these watchlists, by name; reads the counts alone."""
    c = counted([(span.start, span.end)], {}, ["watchlist"]).c
    sums = select(c.watchlist, func.sum(c.total), func.sum(c.negative)).group_by(c.watchlist)
    sums = sums.where(c.watchlist.in_(names))
    found = {name: (int(total), int(negative)) for name, total, negative in connection.execute(sums)}
    newest = {row.name: row.bucket_at for row in connection.execute(_NEWEST, {"names": list(names)})}
    return {name: WatchlistShare(*found.get(name, (0, 0)), newest.get(name)) for name in names}
