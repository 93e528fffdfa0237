"""The feeds that are polled, how far each was read, and when its turn comes again."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, case, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from core.records import Kind
from storage.tables import feed


@dataclass(frozen=True, slots=True)
class FeedSpec:
    """What people say of a feed.

    Attributes:
        host: of the URL; feeds of one host are never polled at the same time.
        article: the text comes from the page that an entry links to.
        lang: None: by the feed's word or the text.
    """

    url: str
    host: str
    source: str
    every: timedelta
    kind: Kind = "news"
    article: bool = False
    lang: str | None = None
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class FeedRow(FeedSpec):
    """A feed with its state.

    Attributes:
        seen: by entry, the mark of the version that was last sent.
        failures: in a row.
    """

    id: int = 0
    etag: str | None = None
    last_modified: str | None = None
    seen: Mapping[str, str] = field(default_factory=dict)
    failures: int = 0
    last_error: str | None = None
    next_at: datetime | None = None
    last_ok_at: datetime | None = None
    last_polled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FeedState:
    """What a poll leaves behind.

    Attributes:
        last_error: None: all is well. With `failures` 0 it was read in part.
    """

    next_at: datetime
    polled_at: datetime
    failures: int
    last_error: str | None
    etag: str | None
    last_modified: str | None
    seen: Mapping[str, str]
    is_active: bool = True


SAID = tuple(one.name for one in fields(FeedSpec))
KNOWN = tuple(one.name for one in fields(FeedRow))


def put(connection: Connection, specs: Sequence[FeedSpec], *, now: datetime) -> int:
    """Add feeds; those of the same URL take what is said now and keep their state. Returns how many are new."""
    before = connection.scalar(select(func.count()).select_from(feed)) or 0
    for spec in specs:
        said: dict[str, Any] = {name: getattr(spec, name) for name in SAID}
        changed = {name: value for name, value in said.items() if name != "url"}
        connection.execute(
            insert(feed)
            .values(**said, next_at=now)
            .on_conflict_do_update(
                index_elements=[feed.c.url], set_=changed | {"next_at": func.least(feed.c.next_at, now + spec.every)}
            )
        )
    return (connection.scalar(select(func.count()).select_from(feed)) or 0) - before


def remove(connection: Connection, url: str) -> bool:
    """Forget a feed; False when there is none of this URL. Its documents stay."""
    return connection.execute(delete(feed).where(feed.c.url == url)).rowcount > 0


def all_feeds(connection: Connection) -> list[FeedRow]:
    """Every feed, by source."""
    rows = connection.execute(select(*_columns()).order_by(feed.c.source, feed.c.url))
    return [_row(row) for row in rows]


_DUE = text(f"""
    SELECT * FROM (
        SELECT DISTINCT ON (host) {", ".join(KNOWN)} FROM feed
        WHERE is_active AND next_at <= :now AND host <> ALL(:busy)
        ORDER BY host, next_at
    ) AS first_of_each ORDER BY next_at LIMIT :limit
""")  # noqa: S608  # the names are our own columns


def due(connection: Connection, *, now: datetime, busy_hosts: Collection[str], limit: int) -> list[FeedRow]:
    """Feeds whose turn it is, the longest due first, one of each host that is not busy."""
    rows = connection.execute(_DUE, {"now": now, "busy": list(busy_hosts), "limit": limit})
    return [_row(row) for row in rows]


def make_due(connection: Connection, *, now: datetime) -> None:
    """Let every active feed be due now."""
    connection.execute(update(feed).where(feed.c.is_active).values(next_at=now))


def settle(connection: Connection, states: Mapping[int, FeedState]) -> None:
    """Write down what polls left behind, by feed id; feeds that are gone are left out."""
    for number, state in sorted(states.items()):
        is_ok = state.failures == 0
        connection.execute(
            update(feed)
            .where(feed.c.id == number)
            .values(
                next_at=state.next_at,
                failures=state.failures,
                last_error=state.last_error,
                etag=state.etag,
                last_modified=state.last_modified,
                seen=dict(state.seen),
                last_polled_at=state.polled_at,
                last_ok_at=state.polled_at if is_ok else feed.c.last_ok_at,
                is_active=feed.c.is_active if state.is_active else False,
            )
        )


def states(connection: Connection) -> dict[str, int]:
    """How many active feeds are `new`, `ok` and `failing`."""
    state = case((feed.c.failures > 0, "failing"), (feed.c.last_ok_at.is_(None), "new"), else_="ok")
    counted = connection.execute(select(state, func.count()).where(feed.c.is_active).group_by(state))
    return dict.fromkeys(("new", "ok", "failing"), 0) | {row[0]: row[1] for row in counted}


def _columns() -> list[Any]:
    return [feed.c[name] for name in KNOWN]


def _row(row: Row[Any]) -> FeedRow:
    return FeedRow(**{name: getattr(row, name) for name in KNOWN})
