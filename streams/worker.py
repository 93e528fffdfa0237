"""What a Faust worker is made of, and the loop that carries batches through the pipeline."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from aiokafka import AIOKafkaProducer
from kafka.errors import KafkaError
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from core.errors import ConfigError, ModelError
from core.logs import get_logger
from core.metrics import ASSIGNED, LAST_PROGRESS, REBALANCES, TOKENS
from core.probes import ProbeServer
from core.settings import Settings
from core.watchlist_file import read_watchlists
from models.inference import Classifier
from storage.engine import connect
from storage.local import is_answering
from storage.model_versions import champion
from streams import topics
from streams.announcements import ModelFollower
from streams.authors import pseudonyms_of
from streams.batches import Batches
from streams.classify import ClassifyStep
from streams.dead_letters import RawRecord, record_time
from streams.hole_guard import HoleGuard
from streams.intake import IntakeLimits
from streams.model_files import brought_here, model_store
from streams.offsets import OffsetReader
from streams.pipeline import Pipeline, Prepared
from streams.progress import Progress
from streams.publish import PublishStep
from streams.retry import Patience, leave
from streams.store import StoreStep
from streams.swapping import ModelSwapper, settle_objects
from streams.watchdog import Watchdog
from streams.watching import WatchlistFollower, sync_file

log = get_logger(__name__)

START_SECONDS = 600.0
"""A worker that loads its model for longer hangs. Time in which it waits for a dependency does not count."""
HANGING_SECONDS = 10.0
"""An attempt at the store step that takes longer makes the watchdog ask whether the database answers at all."""

BATCHES_IN_HAND = 3
"""One that is stored and published, one that the model computes, one whose texts are tokenised meanwhile."""


class Worker:
    """Everything one worker process holds. Built before Faust starts, opened inside its event loop."""

    def __init__(self, settings: Settings, bootstrap: str, database_url: str) -> None:
        """Raises:
        ConfigError: the watchlist file cannot be used.
        """
        self._settings = settings
        self._bootstrap = bootstrap
        self._database_url = database_url
        self._entries = read_watchlists(settings.watchlists) if settings.watchlists else []
        self._engine: Engine = connect(database_url)
        self._watching = WatchlistFollower(self._engine)
        self._raw_topic = settings.kafka.topic_prefix + topics.RAW
        self._should_stop: Callable[[], bool] = lambda: False
        self._patience = Patience(lambda: self._should_stop())
        self._starting: str | None = "the model is being loaded"
        self._started_at = time.monotonic()
        self._away: str | None = None
        self._producer: AIOKafkaProducer | None = None
        self._swapper: ModelSwapper | None = None
        self._reader = OffsetReader(bootstrap, settings.group, self._raw_topic)
        self._settled = 0
        self._progress = Progress(lambda: self._settled + tokens_computed())
        self._watchdog = Watchdog(
            OffsetReader(bootstrap, settings.group, self._raw_topic),
            self._progress,
            stall_seconds=settings.worker.stall_seconds,
            waits_for=self._waits_for,
            on_stall=leave,
        )

    def watch(self) -> None:
        """Start probes and watchdog: before Faust starts its own parts, so that whatever hangs is told.

        Raises:
            OSError: the port of the probes is taken.
        """
        settings = self._settings.worker
        checks = {"start": lambda: self._starting, "progress": self._watchdog.reason, "dependencies": self._holding}
        probes = ProbeServer(settings.probes_host, settings.probes_port, checks)
        probes.start()
        log.info("probes_listen", port=probes.port)
        self._watchdog.start()

    def assigned(self, partitions: Iterable[tuple[str, int]]) -> None:
        """The group has given this worker these partitions, and no others."""
        own = frozenset(partition for topic, partition in partitions if topic == self._raw_topic)
        self._progress.assigned = own
        REBALANCES.inc()
        ASSIGNED.set(len(own))

    async def run(self, stream: Any, should_stop: Callable[[], bool]) -> None:
        """Carry Faust's events through the pipeline until the worker is told to stop.

        Never raises and never returns early: Faust goes on to the next events even when its agent's body fails, so
        whatever is unforeseen ends the process (`streams.retry.leave`) and what is not settled is read again.
        """
        self._should_stop = should_stop
        try:
            guard, pipeline = await self._open()
            await self._carry(stream, guard, pipeline)
        except asyncio.CancelledError:
            if not should_stop():
                leave("the agent was cancelled")
            await self._close()
            raise
        except BaseException as error:  # the fate of what is in hand is unknown: acknowledge nothing
            log.exception("agent_failed")
            leave(f"{type(error).__name__}: {error}")
        if not should_stop():
            leave("the agent's loop ended by itself")
        await self._close()

    async def _carry(self, stream: Any, guard: HoleGuard, pipeline: Pipeline) -> None:
        """Prepare some batches at a time, so that the model never waits for the database or the broker; settle and
        acknowledge them in their order. Returns when the stream ends."""
        settings = self._settings.worker
        batches = Batches(stream, most=settings.batch_records, wait_seconds=settings.batch_wait_seconds)
        begun: asyncio.Queue[tuple[Sequence[Any], asyncio.Task[Prepared]]] = asyncio.Queue()
        in_hand = asyncio.Semaphore(BATCHES_IN_HAND)

        async def begin() -> None:
            while True:
                await in_hand.acquire()
                events = await batches.take()
                records = [raw_record(event) for event in events]
                self._progress.begin({record.partition for record in records})
                await self._patience.run("offsets", _is_broker_away, partial(asyncio.to_thread, guard.check, records))
                begun.put_nowait((events, work.create_task(pipeline.prepare(records))))

        async def settle() -> None:
            while True:
                events, prepared = await begun.get()
                await pipeline.settle(await prepared)
                await batches.acknowledge(events)
                self._progress.finish()
                self._settled += 1
                LAST_PROGRESS.set_to_current_time()
                in_hand.release()

        try:
            async with asyncio.TaskGroup() as work:
                tasks = [work.create_task(begin()), work.create_task(settle())]
                await batches.fill()
                for task in tasks:
                    task.cancel()
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures

    async def _open(self) -> tuple[HoleGuard, Pipeline]:
        settings = self._settings
        await self._first_watchlists()
        classify = ClassifyStep(await self._first_classifier(), self._load, self._watching.current)
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            enable_idempotence=True,
            acks="all",
            linger_ms=5,
            max_request_size=topics.RAW_MAX_BYTES + 64 * 1024,
        )
        await self._patience.run("publish", lambda error: isinstance(error, Exception), producer.start)
        self._producer = producer
        pseudonyms = await self._patience.run(
            "store", _is_database_away, lambda: asyncio.to_thread(pseudonyms_of, settings, self._engine)
        )
        limits = replace(IntakeLimits.of(settings), pseudonyms=pseudonyms)
        prefix = settings.kafka.topic_prefix
        publish = PublishStep(
            producer, classified_topic=prefix + topics.CLASSIFIED, dead_letter_topic=prefix + topics.RAW_DLQ
        )
        settle_objects()
        self._follow_announcements(classify)
        self._watching.start()
        self._starting = None
        log.info("worker_ready", model_version=classify.version, group=settings.group)
        return (
            HoleGuard(lambda partition: self._reader.standings()[partition].next_offset),
            Pipeline(limits, classify, StoreStep(self._engine, settings.copies.window), publish, self._patience),
        )

    async def _close(self) -> None:
        """Nothing is in flight when this is called; whatever is left open would only be reported as a leak."""
        if self._producer is not None:
            await self._producer.stop()
        self._watching.stop()
        if self._swapper is not None:
            await asyncio.to_thread(self._swapper.stop)
        self._engine.dispose()

    async def _first_watchlists(self) -> None:
        """Bring the file's entries into SQL, and read all there are.

        Raises:
            ConfigError: the file has a watchlist that people own in SQL.
        """

        def catch_up() -> None:
            sync_file(self._engine, self._settings.watchlists, self._entries)
            self._watching.catch_up()

        await self._patience.run(
            "store", lambda error: not isinstance(error, ConfigError), lambda: asyncio.to_thread(catch_up)
        )

    async def _first_classifier(self) -> Classifier:
        """The champion that SQL names, else the configured checkpoint. A champion that cannot be loaded is
        reported and the configured checkpoint used, so that a bad promotion does not stop the stream."""

        def find() -> str | None:
            with self._engine.connect() as connection:
                found = champion(connection)
                return found.path if found else None

        path = await self._patience.run("store", lambda error: True, lambda: asyncio.to_thread(find))
        if path is not None:
            try:
                return await asyncio.to_thread(self._load, path)
            except ModelError as error:
                log.error("champion_not_loaded", path=path, error=str(error))
        return await asyncio.to_thread(self._load, self._settings.models.checkpoint)

    def _load(self, checkpoint: str) -> Classifier:
        settings = self._settings
        path = brought_here(checkpoint, self._engine, home=settings.home, store=model_store(settings))
        return Classifier.configured(settings.models, path)

    def _follow_announcements(self, classify: ClassifyStep) -> None:
        self._swapper = ModelSwapper(classify, self._engine)
        self._swapper.start()
        topic = self._settings.kafka.topic_prefix + topics.MODEL
        ModelFollower(self._bootstrap, topic, self._swapper.announced).start()

    def _holding(self) -> str | None:
        step = self._patience.holding
        return f"{step} waits for its dependency" if step else self._away

    def _waits_for(self) -> str | None:
        """What the watchdog must not take for a stall. A database that hangs fails no step, so it is asked."""
        is_hanging = self._patience.is_hanging("store", HANGING_SECONDS) and self._patience.holding is None
        self._away = "PostgreSQL does not answer" if is_hanging and not is_answering(self._database_url) else None
        if waits := self._holding():
            self._started_at = time.monotonic()
            return waits
        return self._starting if time.monotonic() - self._started_at < START_SECONDS else None


def tokens_computed() -> float:
    """By the classifier of this process: a long text takes many passes, and each of them is progress."""
    return next(iter(TOKENS.collect())).samples[0].value


def _is_database_away(error: Exception) -> bool:
    return isinstance(error, DBAPIError)


def _is_broker_away(error: Exception) -> bool:
    return isinstance(error, KafkaError | OSError)


def raw_record(event: Any) -> RawRecord:
    """A Faust event as a plain value."""
    message = event.message
    headers = message.headers.items() if isinstance(message.headers, dict) else message.headers or ()
    return RawRecord(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        recorded_at=record_time(message.timestamp),
        key=message.key,
        value=message.value,
        headers=tuple((name, value) for name, value in headers),
    )
