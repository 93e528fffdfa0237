"""One run: the stream once undisturbed, once through the faults of the schedule, and the verdict on the second."""

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Engine, text

from core.settings import KafkaSettings
from models.checkpoints import STARTER, resolve
from models.lineage import version_of
from models.registry import stamp
from opinion.demo.receiver import Receiver
from storage import migrate
from storage.engine import connect
from storage.local import EmbeddedPostgres
from storage.model_switches import OverlapRow, save_overlap
from streams import topics
from streams.offsets import OffsetReader
from tests.chaos import verdict as judge
from tests.chaos.crawler import Crawler
from tests.chaos.faults import Monkey
from tests.chaos.fleet import OURS, Fleet
from tests.chaos.observer import Observer
from tests.chaos.schedule import Fault, make_schedule
from tests.chaos.stream import Expected, Stream, make_stream
from tests.chaos.verdict import Verdict
from tests.support.kafka_cluster import KafkaCluster

TICK_SECONDS = 0.1
PARTITIONS = 8
SCHEDULERS = 2
MOST_FAULT_SECONDS = 1.2  # the crawler produces over the time of the schedule, and some of its recoveries
DRAIN_SECONDS = 420.0
STILL_SECONDS = 60.0  # a group that commits nothing for so long has stopped for good
CALM_SECONDS = 12.0  # incidents are final when nothing has changed for so long
CALM_DEADLINE_SECONDS = 240.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What to run.

    Attributes:
        workers: at the start; the schedule adds and removes some.
        longest: no fault lasts longer, in seconds; for short runs.
    """

    seed: int
    faults: int
    documents: int
    nodes: int = 1
    workers: int = 2
    app: str = OURS
    longest: float | None = None

    @property
    def is_naive(self) -> bool:
        return self.app != OURS


@dataclass
class Outcome:
    """The verdict, and what the observer saw."""

    plan: Plan
    verdict: Verdict
    records: int
    poison: int
    faults: dict[str, int]
    seconds: float
    undisturbed_seconds: float
    worst_standstill_seconds: float
    worst_standstill: str
    recovery_seconds: dict[str, float]
    unrecovered: list[str]
    peak_lag_records: int
    peak_megabytes: dict[str, float]
    undone: int
    schedule: list[Fault] = field(default_factory=list)


class Playground:
    """The servers of a run, and what every part of it is told about them."""

    def __init__(self, folder: Path, jars: Path, nodes: int) -> None:
        self.folder = folder
        self.kafka = KafkaCluster(folder, jars=jars, nodes=nodes)
        self.postgres = EmbeddedPostgres(folder)
        self.nodes = nodes

    @contextmanager
    def running(self) -> Iterator[None]:
        try:
            self.kafka.start()
            self.postgres.start()
            yield
        finally:
            self.kafka.stop()
            self.postgres.stop()

    def models(self) -> list[Path]:
        """Two checkpoints with the starter's weights and names of their own."""
        folders = []
        for name in ("chaos-a", "chaos-b"):
            target = self.folder / "models" / name
            shutil.copytree(resolve(STARTER), target)
            stamp(target, name, parent=None, created_at=datetime.now(UTC))
            folders.append(target)
        return folders


class Side:
    """One pass of the stream, undisturbed or under fire, with topics, group and database of its own."""

    def __init__(self, playground: Playground, name: str, subscriber_url: str) -> None:
        self.playground = playground
        self.name = name
        self.prefix = f"{name}."
        self.group = f"chaos-{name}"
        self.folder = playground.folder / name
        self.folder.mkdir(parents=True)
        replicas = min(3, playground.nodes)
        settings = KafkaSettings(
            topic_prefix=self.prefix,
            partitions=PARTITIONS,
            replication=replicas,
            min_insync_replicas=max(1, replicas - 1),
        )
        topics.apply(playground.kafka.bootstrap, settings)
        self.database_url = _new_database(playground.postgres, name)
        migrate.upgrade(self.database_url)
        self.engine: Engine = connect(self.database_url)
        self.environment = {
            "OPINION_HOME": str(self.folder),
            "OPINION_KAFKA_BOOTSTRAP": playground.kafka.bootstrap,
            "OPINION_DATABASE_URL": self.database_url,
            "OPINION_GROUP": self.group,
            "OPINION_KAFKA__TOPIC_PREFIX": self.prefix,
            "OPINION_MODELS__CHECKPOINT": STARTER,
            "OPINION_MODELS__THREADS": "1",
            "OPINION_DETECT__EVERY": "PT1S",
            "OPINION_ALERTS__WEBHOOKS": json.dumps([subscriber_url]),
            "OPINION_ALERTS__ALLOW_PRIVATE_ADDRESSES": "true",
            "OPINION_ALERTS__ATTEMPTS": "1000",
            "OPINION_LOG_FORMAT": "json",
        }

    @property
    def raw_topic(self) -> str:
        return self.prefix + topics.RAW

    def reader(self) -> OffsetReader:
        return OffsetReader(self.playground.kafka.bootstrap, self.group, self.raw_topic)

    def calm(self) -> tuple[Any, ...]:
        """What no longer changes once the detector has seen everything and everybody was told."""
        with self.engine.connect() as connection:
            cursors = connection.execute(text("SELECT max(cursor_at), count(*) FROM detector_state")).one()
            waiting = connection.scalar(text("SELECT count(*) FROM notification WHERE status = 'pending'"))
        return (*cursors, waiting, judge.incidents(self.engine))

    def close(self) -> None:
        self.engine.dispose()


class Harness:
    """Carries out a plan."""

    def __init__(self, plan: Plan, folder: Path, jars: Path, say: Say) -> None:
        self._plan = plan
        self._folder = folder
        self._jars = jars
        self._say = say

    def run(self) -> Outcome:
        """Blocks for minutes. The folder is emptied first and keeps every log afterwards."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        self._folder.chmod(0o755)
        plan = self._plan
        stream = make_stream(plan.seed, plan.documents)
        self._say(f"{len(stream.records)} records, {len(stream.expected.poison)} of them poison, seed {plan.seed}")
        playground = Playground(self._folder, self._jars, plan.nodes)
        with playground.running():
            undisturbed, seconds = ([], 0.0) if plan.is_naive else self._undisturbed(playground, stream)
            return self._under_fire(playground, stream, undisturbed, seconds)

    def _undisturbed(self, playground: Playground, stream: Stream) -> tuple[list[dict[str, Any]], float]:
        """The incidents that the stream has to give."""
        began = time.monotonic()
        with Receiver(refuse_each=10) as subscriber, ExitStack() as stack:
            side = Side(playground, "calm", subscriber.url)
            stack.callback(side.close)
            fleet = Fleet(side.folder, side.environment)
            stack.callback(fleet.stop)
            for _ in range(2):
                fleet.add_worker()
            fleet.add_scheduler()
            crawler = Crawler(playground.kafka.bootstrap, side.raw_topic, stream.records, seconds=1, seed=0)
            stack.callback(crawler.stop)
            crawler.start()
            pause = _pauser(fleet)
            reader = side.reader()
            stack.callback(reader.close)
            self._await("the undisturbed run", pause, lambda: crawler.is_done() and _lag(reader) == 0)
            self._calm(side, pause)
            found = judge.incidents(side.engine)
        if not found:  # nothing to compare with: a detector that says nothing would be called equal
            raise AssertionError(f"the undisturbed run gave no incident; logs are in {side.folder}")
        self._say(f"undisturbed: {len(found)} incidents after {time.monotonic() - began:.0f} s")
        return found, time.monotonic() - began

    def _under_fire(
        self, playground: Playground, stream: Stream, undisturbed: list[dict[str, Any]], undisturbed_seconds: float
    ) -> Outcome:
        plan = self._plan
        schedule = make_schedule(plan.seed, plan.faults, plan.nodes, longest=plan.longest)
        if plan.is_naive:  # it has neither schedulers nor swaps
            schedule = [fault for fault in schedule if not fault.kind.startswith(("scheduler", "model", "disk"))]
        seconds = sum(fault.after + fault.lasts for fault in schedule) * MOST_FAULT_SECONDS
        began = time.monotonic()
        with Receiver(refuse_each=10) as subscriber, ExitStack() as stack:
            side = Side(playground, "fire", subscriber.url)
            stack.callback(side.close)
            fleet = Fleet(side.folder, side.environment, app=plan.app)
            stack.callback(fleet.stop)
            observer = Observer(side.reader(), fleet.resident_megabytes)
            pause = _pauser(fleet)
            models = playground.models()
            _tell_that_equal(side.engine, [resolve(STARTER), *models])
            monkey = Monkey(
                fleet=fleet,
                kafka=playground.kafka,
                postgres=playground.postgres,
                observer=observer,
                engine=side.engine,
                topic_prefix=side.prefix,
                models=models,
                pause=pause,
            )
            for _ in range(plan.workers):
                fleet.add_worker()
            for _ in range(0 if plan.is_naive else SCHEDULERS):
                fleet.add_scheduler()
            self._await("the workers", pause, lambda: plan.is_naive or all(w.is_ready() for w in fleet.workers))
            crawler = Crawler(
                playground.kafka.bootstrap, side.raw_topic, stream.records, seconds=seconds, seed=plan.seed
            )
            stack.callback(crawler.stop)
            crawler.start()
            observer.start()
            stack.callback(observer.stop)
            for number, fault in enumerate(schedule, 1):
                inside = f" with {fault.inside} inside" if fault.inside else ""
                self._say(f"{time.monotonic() - began:4.0f} s  {number}/{len(schedule)} {fault.kind}{inside}")
                monkey.apply(fault)
                self._say(f"        longest standstill so far: {observer.standstill.worst:.1f} s")
            undone = self._drain(observer, crawler, pause)
            observer.stop()
            if not plan.is_naive:
                self._calm(side, pause)
            found = self._judge(side, stream.expected, undisturbed, subscriber.delivery_ids)
            fleet.stop()
            took = time.monotonic() - began
            # Servers that the monkey started end with its thread, so they are stopped before it.
            playground.kafka.stop()
            playground.postgres.stop()
            monkey.close()
        kinds = Counter(fault.kind for fault in schedule)
        kinds.update(fault.inside for fault in schedule if fault.inside)
        return Outcome(
            plan=plan,
            verdict=found,
            records=len(stream.records),
            poison=len(stream.expected.poison),
            faults=dict(kinds),
            seconds=took,
            undisturbed_seconds=undisturbed_seconds,
            worst_standstill_seconds=observer.standstill.worst,
            worst_standstill=f"partition {observer.standstill.worst_partition} at {observer.worst_at:.0f} s",
            recovery_seconds=_worst_by_kind(observer),
            unrecovered=[one.fault for one in observer.recoveries if one.seconds is None],
            peak_lag_records=observer.peak_lag,
            peak_megabytes=observer.peak_megabytes,
            undone=undone,
            schedule=schedule,
        )

    def _drain(self, observer: Observer, crawler: Crawler, pause: Callable[[float], None]) -> int:
        """Wait until everything is produced and committed; returns the records that nobody works on any more."""
        self._await("the crawler", pause, crawler.is_done)
        seen, since = observer.lag(), time.monotonic()
        while (lag := observer.lag()) != 0 or time.monotonic() - since < 3:  # zero for more than one look
            pause(0.5)
            if lag != seen:
                seen, since = lag, time.monotonic()
            if time.monotonic() - since > STILL_SECONDS:
                return lag or 0
        return 0

    def _calm(self, side: Side, pause: Callable[[float], None]) -> None:
        """Wait until the incidents are final and told."""
        deadline = time.monotonic() + CALM_DEADLINE_SECONDS
        seen, since = side.calm(), time.monotonic()
        while time.monotonic() - since < CALM_SECONDS:
            pause(0.5)
            now = side.calm()
            if now != seen or now[2]:
                seen, since = now, time.monotonic()
            if time.monotonic() > deadline:
                return  # the verdict tells what is missing

    def _judge(
        self, side: Side, expected: Expected, undisturbed: list[dict[str, Any]], received: Counter[str]
    ) -> Verdict:
        found = Verdict()
        bootstrap = side.playground.kafka.bootstrap
        if self._plan.is_naive:
            judge.judge_naive(found, side.engine, expected)
            return found
        judge.judge_rows(found, side.engine, expected)
        judge.judge_counts(found, side.engine, expected, side.raw_topic)
        judge.judge_classified(found, bootstrap, side.prefix + topics.CLASSIFIED, expected)
        judge.judge_dead_letters(found, bootstrap, side.prefix + topics.RAW_DLQ, expected)
        judge.judge_incidents(found, side.engine, undisturbed)
        judge.judge_notifications(found, side.engine, received)
        return found

    def _await(self, what: str, pause: Callable[[float], None], is_true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DRAIN_SECONDS
        while not is_true():
            pause(0.5)
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {DRAIN_SECONDS:.0f} s for {what}; logs are in {self._folder}")


def _tell_that_equal(engine: Engine, models: Sequence[Path]) -> None:
    """What `opinion models overlap` finds of models with the same weights. Not left to it here: a swap may come
    before there are documents enough to compare; then the detector is more careful than in the undisturbed run."""
    everything = [OverlapRow("", "", documents=1000, negative_old=300, negative_new=300)]
    with engine.begin() as connection:
        for old, new in permutations(map(version_of, models), 2):
            save_overlap(connection, old, new, everything)


def _pauser(fleet: Fleet) -> Callable[[float], None]:
    """Waiting in which the supervisors of the processes go on working."""

    def pause(seconds: float) -> None:
        until = time.monotonic() + seconds
        while True:
            fleet.tick()
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(TICK_SECONDS, left))

    return pause


def _lag(reader: OffsetReader) -> int:
    return sum(standing.lag_records for standing in reader.standings().values())


def _worst_by_kind(observer: Observer) -> dict[str, float]:
    worst: dict[str, float] = {}
    for one in observer.recoveries:
        if one.seconds is not None:
            worst[one.fault] = max(one.seconds, worst.get(one.fault, 0.0))
    return worst


def _new_database(postgres: EmbeddedPostgres, name: str) -> str:
    assert postgres.url
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{postgres.url.rsplit('/', 1)[0]}/{name}"
