"""The scheduler's feeds job: polls what is due, side by side, and brings what is new onto the raw topic."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import timedelta
from typing import Final

from sqlalchemy import Engine

from core.addresses import Lookup, look_up
from core.clock import Clock
from core.logs import get_logger
from core.metrics import FEEDS
from core.records import Document
from core.settings import Settings
from opinion.detection import ShouldStop
from storage import feeds
from storage.feeds import FeedRow
from streams import topics
from streams.intake import IntakeLimits
from streams.sources.feeds import FeedReader, Poll
from streams.sources.fetching import Fetcher, FetchOptions, shown
from streams.sources.producer import DocumentProducer

log = get_logger(__name__)

FEEDS_EVERY: Final = timedelta(seconds=5)  # a query by index, unless something is due
ROUND_SECONDS: Final = 300.0  # a run that never ends would never be seen to end
LOOK_SECONDS: Final = 1.0  # for feeds that have become due, and for the end of the term


class _Sink:
    """The raw topic, connected to when the first document comes."""

    def __init__(self, bootstrap: str, topic: str, stack: ExitStack) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._stack = stack
        self._producer: DocumentProducer | None = None

    def take(self, documents: Sequence[Document]) -> None:
        """Returns when the broker has them. Raises DependencyNotReadyError."""
        if not documents:
            return
        if self._producer is None:
            self._producer = self._stack.enter_context(DocumentProducer(self._bootstrap, self._topic))
        for document in documents:
            self._producer.send(document)
        self._producer.flush()


class FeedsJob:
    """Runs until nothing is due. Not for several threads at once.

    A poll's state is written after the broker has acknowledged its documents. What is cut off between the two is
    polled and sent again, and a document that is there already has no effect. Rules of robots.txt and the pauses that
    hosts asked for are kept from run to run.
    """

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        kafka_bootstrap: str,
        clock: Clock,
        *,
        lookup: Lookup = look_up,
        on_poll: Callable[[Poll], None] = lambda poll: None,
    ) -> None:
        """Connects to nothing.

        Args:
            on_poll: hears of every poll that is settled.
        """
        self._settings = settings
        self._engine = engine
        self._bootstrap = kafka_bootstrap
        self._clock = clock
        self._lookup = lookup
        self._on_poll = on_poll
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)  # leaves the thread's own loop alone
        self._fetcher: Fetcher | None = None

    def __call__(self, should_stop: ShouldStop) -> None:
        """Raises DependencyNotReadyError or SQLAlchemyError when a server is away; the next run polls again."""
        try:
            self._runner.run(self._run(should_stop))
        finally:
            with self._engine.connect() as connection:
                for state, count in feeds.states(connection).items():
                    FEEDS.labels(state).set(count)

    def close(self) -> None:
        """Let go of the event loop. Must not be called while it runs."""
        if self._fetcher is not None:
            self._runner.run(self._fetcher.__aexit__())
        self._runner.close()

    async def _run(self, should_stop: ShouldStop) -> None:
        if self._fetcher is None:
            self._fetcher = Fetcher(FetchOptions.of(self._settings.feeds), lookup=self._lookup, clock=self._clock)
        reader = FeedReader(
            self._fetcher,
            IntakeLimits.of(self._settings),
            self._clock,
            max_articles=self._settings.feeds.max_articles,
        )
        with ExitStack() as stack:
            try:
                await self._poll_due(reader, _Sink(self._bootstrap, self._topic, stack), should_stop)
            finally:
                others = asyncio.all_tasks() - {asyncio.current_task()}
                for task in others:
                    task.cancel()
                await asyncio.gather(*others, return_exceptions=True)

    async def _poll_due(self, reader: FeedReader, sink: "_Sink", should_stop: ShouldStop) -> None:
        running: dict[asyncio.Task[Poll], FeedRow] = {}
        ends_at = asyncio.get_running_loop().time() + ROUND_SECONDS
        while not should_stop():
            if asyncio.get_running_loop().time() < ends_at:
                for feed in await asyncio.to_thread(self._due, list(running.values())):
                    running[asyncio.create_task(reader.poll(feed), name=feed.host)] = feed
            if not running:
                return
            done, _ = await asyncio.wait(running, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if done:
                await asyncio.to_thread(self._settle, [task.result() for task in done], sink)
            for task in done:
                del running[task]

    def _due(self, busy: Sequence[FeedRow]) -> list[FeedRow]:
        room = self._settings.feeds.concurrency - len(busy)
        if room <= 0:
            return []
        with self._engine.connect() as connection:
            return feeds.due(connection, now=self._clock.now(), busy_hosts=[feed.host for feed in busy], limit=room)

    def _settle(self, polls: Sequence[Poll], sink: "_Sink") -> None:
        """First the broker, then the state."""
        sink.take([document for poll in polls for document in poll.documents])
        with self._engine.begin() as connection:
            feeds.settle(connection, {poll.feed.id: poll.state for poll in polls})
        for poll in polls:
            _tell(poll)
            self._on_poll(poll)

    @property
    def _topic(self) -> str:
        return self._settings.kafka.topic_prefix + topics.RAW


def _tell(poll: Poll) -> None:
    """A line when a feed begins to fail and when it is well again, not for each failure."""
    url = shown(poll.feed.url)
    if poll.error and poll.feed.failures == 0:
        log.warning("feed_failed", url=url, reason=poll.error.reason, detail=poll.error.detail)
    elif not poll.error and poll.feed.failures:
        log.info("feed_well_again", url=url, failures=poll.feed.failures)
    if poll.rejected:
        log.warning("feed_entries_rejected", url=url, entries=len(poll.rejected), first=poll.rejected[0])
