"""One poll of one RSS or Atom feed: fetched if it has changed, read, and what is new in it as documents."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from core.clock import Clock
from core.errors import RecordRejected
from core.logs import get_logger
from core.metrics import FEED_ENTRIES, FEED_POLLS
from core.records import Document
from storage.feeds import FeedRow, FeedState
from streams.dead_letters import RawRecord
from streams.intake import IntakeLimits, clean_text, complete
from streams.sources.articles import PAGES, article_text
from streams.sources.feed_entries import Entry, Traits, parse_feed
from streams.sources.fetching import Fetched, Fetcher, shown
from streams.sources.refusals import FetchError

log = get_logger(__name__)

FEEDS: Final = frozenset(
    {
        "application/rss+xml", "application/atom+xml", "application/rdf+xml", "application/xml", "text/xml",
        "application/rss", "application/atom", "application/x-rss+xml", "text/rss+xml", "text/rss", "text/rdf",
        "text/plain", "text/html", "application/xhtml+xml", "application/octet-stream", "binary/octet-stream",
    }
)  # fmt: skip
"""What servers call feeds; whether it is one shows when it is read."""
LONGEST_WAIT: Final = timedelta(hours=12)  # for a feed that fails and fails, unless its own interval is longer
MOST_DOUBLINGS: Final = 20  # more would leave the range of a timedelta
SPREAD: Final = 0.1  # of a wait; feeds that were added together do not stay together
REST_AFTER: Final = timedelta(minutes=1)  # when there was more than one poll may take
GONE: Final = 410
ARTICLES_SECONDS: Final = 90.0  # for the linked pages of one poll; the rest comes with the next


@dataclass(frozen=True, slots=True)
class Poll:
    """What one poll brought.

    Attributes:
        documents: new and changed entries, oldest first. The broker must have them before `state` is written.
        rejected: of entries that can never be stored, why.
        known: entries that were sent before.
        error: why nothing came.
    """

    feed: FeedRow
    state: FeedState
    documents: Sequence[Document] = ()
    rejected: Sequence[str] = ()
    known: int = 0
    error: FetchError | None = None

    @property
    def outcome(self) -> Literal["changed", "unchanged", "failed"]:
        if self.error:
            return "failed"
        return "changed" if self.documents or self.rejected else "unchanged"


@dataclass(slots=True)
class _Sorted:
    """The entries of a feed, told apart; `seen` is the memory of the next poll."""

    documents: list[Document] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    known: int = 0
    seen: dict[str, str] = field(default_factory=dict)
    is_complete: bool = True


class FeedReader:
    """Polls feeds; keeps nothing of them. Of one event loop."""

    def __init__(
        self,
        fetcher: Fetcher,
        limits: IntakeLimits,
        clock: Clock,
        *,
        max_articles: int,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Args:
        chance: in [0, 1), for the spread of waits.
        """
        self._fetcher = fetcher
        self._limits = limits
        self._clock = clock
        self._max_articles = max_articles
        self._chance = chance

    async def poll(self, feed: FeedRow) -> Poll:
        """Never raises for what the feed does; `Poll.error` says it."""
        now = self._clock.now()
        try:
            fetched = await self._fetcher.get(
                feed.url, content_types=FEEDS, etag=feed.etag, last_modified=feed.last_modified
            )
            poll = await self._read(feed, fetched, now) if fetched.is_new else self._unchanged(feed, now)
        except FetchError as error:
            poll = self._failed(feed, error, now)
        except Exception as error:  # a bug that one feed brings out must not keep the others from being polled
            log.exception("feed_not_read", url=shown(feed.url))
            unexpected = FetchError("not_a_feed", f"unexpected {type(error).__name__}: {error}")
            poll = self._failed(feed, unexpected, now)
        FEED_POLLS.labels(poll.outcome).inc()
        FEED_ENTRIES.labels("produced").inc(len(poll.documents))
        FEED_ENTRIES.labels("rejected").inc(len(poll.rejected))
        FEED_ENTRIES.labels("known").inc(poll.known)
        return poll

    async def _read(self, feed: FeedRow, fetched: Fetched, now: datetime) -> Poll:
        traits = Traits(shown(feed.url), feed.source, feed.kind, feed.lang)
        parsed = await asyncio.to_thread(parse_feed, fetched, traits, now=now, zone=self._limits.zone)
        found = await self._sort(feed, parsed.entries, now)
        wait = feed.every if found.is_complete else min(feed.every, REST_AFTER)
        state = FeedState(
            next_at=now + self._spread(wait),
            polled_at=now,
            failures=0,
            last_error=parsed.problem and _storable(f"read in part: {parsed.problem}"),
            # While something is left to be read, the server must not say that nothing has changed.
            etag=fetched.etag if found.is_complete else None,
            last_modified=fetched.last_modified if found.is_complete else None,
            seen=found.seen,
        )
        return Poll(feed, state, found.documents, found.rejected, found.known)

    async def _sort(self, feed: FeedRow, entries: Sequence[Entry], now: datetime) -> _Sorted:
        found = _Sorted()
        articles, loop = 0, asyncio.get_running_loop()
        until = loop.time() + ARTICLES_SECONDS
        for entry in reversed(entries):
            before = feed.seen.get(entry.key)
            if before == entry.mark:
                found.known += 1
                found.seen[entry.key] = entry.mark
                continue
            if feed.article and entry.link:
                if articles == self._max_articles or loop.time() > until:
                    found.is_complete = False
                    found.seen |= {entry.key: before} if before else {}
                    continue
                articles += 1
                entry = await self._with_article(entry, entry.link)
            found.seen[entry.key] = entry.mark
            try:
                found.documents.append(self._document(entry, now))
            except RecordRejected as rejected:
                found.rejected.append(f"{entry.document.id}: {rejected}")
        return found

    async def _with_article(self, entry: Entry, link: str) -> Entry:
        """The entry with its article, if that can be had and says more than the feed does."""
        try:
            page = await self._fetcher.get(link, content_types=PAGES)
        except FetchError:
            return entry  # counted where it was raised
        text = await asyncio.to_thread(article_text, page)
        return entry.with_text(text) if len(text) > len(entry.document.text or "") else entry

    def _document(self, entry: Entry, now: datetime) -> Document:
        """What the worker would make of it; an absent time stays absent, so that the record's own is taken.

        Raises:
            RecordRejected: the worker would refuse it.
        """
        document = complete(entry.document, RawRecord("feed", 0, 0, now, None, None), self._limits)
        return document if entry.document.published_at else msgspec.structs.replace(document, published_at=None)

    def _unchanged(self, feed: FeedRow, now: datetime) -> Poll:
        state = _state(feed, now, now + self._spread(feed.every), failures=0, last_error=None)
        return Poll(feed, state, known=len(feed.seen))

    def _failed(self, feed: FeedRow, error: FetchError, now: datetime) -> Poll:
        wait = self._spread(wait_after(feed.failures + 1, feed.every))
        state = _state(
            feed,
            now,
            now + max(wait, error.retry_after or timedelta(0)),
            failures=feed.failures + 1,
            last_error=_storable(str(error)),
            is_active=error.status != GONE,
        )
        return Poll(feed, state, error=error)

    def _spread(self, wait: timedelta) -> timedelta:
        return wait * (1 + SPREAD * (2 * self._chance() - 1))


def wait_after(failures: int, every: timedelta) -> timedelta:
    """Doubles with each failure in a row, from the feed's own interval up."""
    doublings: int = min(failures - 1, MOST_DOUBLINGS)
    return min(every * (1 << doublings), max(every, LONGEST_WAIT))


def _storable(message: str) -> str:
    """What servers write ends up in messages; PostgreSQL takes no NUL, and a terminal should get no escape code."""
    return clean_text(message)[:500]


def _state(
    feed: FeedRow,
    now: datetime,
    next_at: datetime,
    *,
    failures: int,
    last_error: str | None,
    is_active: bool = True,
) -> FeedState:
    """A state that remembers of the feed what it knew before."""
    return FeedState(next_at, now, failures, last_error, feed.etag, feed.last_modified, feed.seen, is_active)
