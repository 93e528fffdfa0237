"""The feeds job on a real broker and database: every entry of every feed becomes one row, whatever breaks."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kafka import KafkaConsumer
from sqlalchemy import Engine, text

from core.clock import SystemClock
from core.errors import DependencyNotReadyError
from core.settings import FeedSettings, KafkaSettings, Settings
from opinion.feeds import FeedsJob
from storage import feeds
from storage.engine import connect
from storage.feeds import FeedRow, FeedSpec
from streams import topics
from streams.sources.feeds import Poll
from streams.sources.producer import DocumentProducer
from tests.support.misbehaving_server import LOOPBACK, Site, dripping, item, page, rss, serving_site
from tests.support.schedulers import SchedulerProcess
from tests.support.stages import Stage
from tests.support.waiting import wait_for

EVERY = timedelta(minutes=15)
JobMaker = Callable[..., FeedsJob]


@pytest.fixture
def site() -> Iterator[Site]:
    with serving_site() as site:
        yield site


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def raw_topic(topic_prefix: str, new_topic: Callable[..., str]) -> str:
    return new_topic(topics.RAW)


@pytest.fixture
def new_job(engine: Engine, kafka_bootstrap: str, topic_prefix: str, raw_topic: str) -> Iterator[JobMaker]:
    """A job that finds every host on loopback."""
    made = []

    def make(on_poll: Callable[[Poll], None] = lambda poll: None) -> FeedsJob:
        settings = Settings(
            kafka=KafkaSettings(topic_prefix=f"{topic_prefix}."),
            feeds=FeedSettings(
                host_interval_seconds=0, total_seconds=2, read_seconds=1, allowed_networks=[LOOPBACK], concurrency=4
            ),
        )
        job = FeedsJob(
            settings, engine, kafka_bootstrap, SystemClock(), lookup=lambda host, port: ["127.0.0.1"], on_poll=on_poll
        )
        made.append(job)
        return job

    yield make
    for job in made:
        job.close()


def put(engine: Engine, site: Site, *hosts: str, path: str = "/feed") -> None:
    specs = [FeedSpec(f"http://{host}:{site.port}{path}", host, host, EVERY) for host in hosts]
    with engine.begin() as connection:
        feeds.put(connection, specs, now=datetime.now(UTC))


def known(engine: Engine) -> dict[str, FeedRow]:
    with engine.connect() as connection:
        return {row.host: row for row in feeds.all_feeds(connection)}


def sent(bootstrap: str, topic: str) -> Counter[str]:
    consumer = KafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=1500
    )
    keys = Counter(record.key.decode() for record in consumer)
    consumer.close()
    return keys


def never() -> bool:
    return False


def test_due_feeds_are_polled_and_what_is_new_is_on_the_topic(
    engine: Engine, site: Site, new_job: JobMaker, kafka_bootstrap: str, raw_topic: str
) -> None:
    """Each entry once; a feed that was read is not due again, and a second run asks nobody."""
    site.pages["/feed"] = page(rss(item(1), item(2)), etag='"v"')
    put(engine, site, *(f"h{n}.example" for n in range(10)))
    job = new_job()
    job(never)
    job(never)
    assert sent(kafka_bootstrap, raw_topic) == {
        f"h{n}.example:https://example.com/{entry}": 1 for n in range(10) for entry in (1, 2)
    }
    assert len(site.paths()) == 10
    rows = known(engine)
    assert {row.etag for row in rows.values()} == {'"v"'}
    assert all(row.last_ok_at and row.next_at and row.next_at > datetime.now(UTC) for row in rows.values())


def test_a_broken_feed_delays_no_other(engine: Engine, site: Site, new_job: JobMaker) -> None:
    """While one drips its bytes the others are done, more of them than are polled side by side."""
    stop = threading.Event()
    site.pages |= {"/feed": page(rss(item(1))), "/slow": dripping(stop)}
    put(engine, site, "slow.example", path="/slow")
    put(engine, site, *(f"h{n}.example" for n in range(20)))
    done: dict[str, float] = {}
    began = time.monotonic()
    new_job(on_poll=lambda poll: done.setdefault(poll.feed.host, time.monotonic() - began))(never)
    stop.set()
    slow = done.pop("slow.example")
    assert len(done) == 20
    assert max(done.values()) < slow
    rows = known(engine)
    assert (rows["slow.example"].failures, rows["h3.example"].failures) == (1, 0)


def test_feeds_of_one_host_take_turns(engine: Engine, site: Site, new_job: JobMaker) -> None:
    """All of them are polled in one run, never two at once."""
    at_once, most, lock = 0, 0, threading.Lock()

    def counted(request: object, wire: object) -> None:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        page(rss())(request, wire)  # type: ignore[arg-type]
        with lock:
            at_once -= 1

    for number in range(5):
        site.pages[f"/{number}"] = counted
        put(engine, site, "one.example", path=f"/{number}")
    new_job()(never)
    assert most == 1
    assert sorted(site.paths()) == [f"/{number}" for number in range(5)]


def test_what_the_broker_did_not_acknowledge_does_not_count_as_read(
    engine: Engine,
    site: Site,
    new_job: JobMaker,
    kafka_bootstrap: str,
    raw_topic: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The state is written after the acknowledgement; the next run brings the documents again, under the same ids."""
    site.pages["/feed"] = page(rss(item(1)), etag='"v"')
    put(engine, site, "a.example")

    def lost(producer: DocumentProducer) -> None:
        producer._producer.flush()
        raise DependencyNotReadyError("the acknowledgement was lost")

    with monkeypatch.context() as patch:
        patch.setattr(DocumentProducer, "flush", lost)
        with pytest.raises(DependencyNotReadyError):
            new_job()(never)
    row = known(engine)["a.example"]
    assert (row.etag, row.seen, row.failures, row.last_polled_at) == (None, {}, 0, None)
    new_job()(never)
    assert sent(kafka_bootstrap, raw_topic) == {"a.example:https://example.com/1": 2}
    assert len(known(engine)["a.example"].seen) == 1


def test_a_run_ends_when_the_lease_is_lost(engine: Engine, site: Site, new_job: JobMaker) -> None:
    """Polls under way are cut off, and their feeds stay due."""
    stop, over = threading.Event(), threading.Event()
    site.pages["/feed"] = dripping(stop)
    put(engine, site, "a.example")
    thread = threading.Thread(target=new_job(), args=[over.is_set])
    thread.start()
    wait_for(lambda: site.paths(), 5, "the poll to be under way")
    over.set()
    thread.join(5)
    stop.set()
    assert not thread.is_alive()
    assert known(engine)["a.example"].failures == 0


def test_the_list_takes_changes_and_keeps_the_place(engine: Engine, site: Site, new_job: JobMaker) -> None:
    """A feed put again takes what is said, keeps what was seen; one removed while it is polled is no error."""
    site.pages["/feed"] = page(rss(item(1)))
    put(engine, site, "a.example")
    new_job()(never)
    url = known(engine)["a.example"].url
    with engine.begin() as connection:
        again = FeedSpec(url, "a.example", "other", timedelta(hours=2))
        assert feeds.put(connection, [again], now=datetime.now(UTC)) == 0
        assert feeds.states(connection) == {"new": 0, "ok": 1, "failing": 0}
    row = known(engine)["a.example"]
    assert (row.source, row.every, len(row.seen)) == ("other", timedelta(hours=2), 1)

    def removes(request: object, wire: object) -> None:
        with engine.begin() as connection:
            assert feeds.remove(connection, url)
        page(rss(item(1)))(request, wire)  # type: ignore[arg-type]

    site.pages["/feed"] = removes
    with engine.begin() as connection:
        feeds.make_due(connection, now=datetime.now(UTC))
    new_job()(never)
    assert known(engine) == {}


@pytest.fixture
def stage(kafka_bootstrap: str, database_url: str, topic_prefix: str, tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(kafka_bootstrap, database_url, topic_prefix, tmp_path)
    yield stage
    stage.close()


def test_entries_become_rows_once_through_restarts(stage: Stage, site: Site, tmp_path: Path) -> None:
    """A scheduler that is killed and another that goes on; feeds that grow, change and fail meanwhile."""
    count = 0

    def growing(request: object, wire: object) -> None:
        nonlocal count
        count += 1
        if count % 4 == 0:
            page("", "", 500)(request, wire)  # type: ignore[arg-type]
        else:
            entries = [item(n) for n in range(max(0, count - 10), count + 5)]
            page(rss(*reversed(entries)))(request, wire)  # type: ignore[arg-type]

    site.pages["/feed"] = growing
    with stage.engine.begin() as connection:
        spec = FeedSpec(f"{site.address}/feed", "127.0.0.1", "news", timedelta(seconds=1))
        feeds.put(connection, [spec], now=datetime.now(UTC))
    environment = stage.environment | {
        "OPINION_FEEDS__ALLOWED_NETWORKS": '["127.0.0.1/32"]',
        "OPINION_FEEDS__HOST_INTERVAL_SECONDS": "0",
    }
    stage.start_worker()
    for polls in (3, 6, 9):
        scheduler = SchedulerProcess(tmp_path, environment)
        try:
            wait_for(lambda polls=polls: count >= polls, 90, f"{polls} polls; log: {scheduler.log}")
        finally:
            scheduler.kill()
    with stage.engine.begin() as connection:
        connection.execute(text("UPDATE feed SET next_at = now() - interval '1 minute'"))
    last = SchedulerProcess(tmp_path, environment)
    try:
        wait_for(lambda: count >= 11 and count % 4 != 0, 90, "one more poll")
        expected = {f"news:https://example.com/{n}": 1 for n in range(14)}
        wait_for(lambda: expected.items() <= stage.ids().items(), 60, "every entry in SQL")
    finally:
        last.kill()
    stage.wait_until_committed()
    assert set(stage.ids().values()) == {1}
    assert stage.audit().is_clean
