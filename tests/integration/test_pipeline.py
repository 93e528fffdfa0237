import asyncio
import json
from datetime import timedelta

import pytest
from aiokafka import AIOKafkaProducer
from kafka import KafkaConsumer
from sqlalchemy import text

from core.watchlists import Watchlist, Watchlists
from storage import audit
from storage.engine import connect
from streams.classify import ClassifyStep
from streams.dead_letters import read_error_headers
from streams.pipeline import ContentError, Pipeline
from streams.publish import PublishStep
from streams.retry import Patience
from streams.store import StoreStep
from tests.support.records import LIMITS, START, WordClassifier, raw
from tests.support.waiting import wait_for


class Bench:
    """A pipeline on the real broker and database, and what came out of it."""

    def __init__(self, engine, bootstrap, topics, producer, classifier=None):
        self.engine, self.bootstrap, self.topics, self.producer = engine, bootstrap, topics, producer
        self.classifier = classifier or WordClassifier()
        watchlists = Watchlists([Watchlist("acme", ("Acme",)), Watchlist("bolt", ("Bolt",))])
        self.classify = ClassifyStep(
            self.classifier, load=lambda path: WordClassifier(), watchlists=lambda: watchlists
        )
        publish = PublishStep(producer, classified_topic=topics[0], dead_letter_topic=topics[1])
        self.pipeline = Pipeline(LIMITS, self.classify, StoreStep(engine), publish, Patience(lambda: False))

    def published(self, index, count):
        consumer = KafkaConsumer(
            self.topics[index],
            bootstrap_servers=self.bootstrap,
            auto_offset_reset="earliest",
            consumer_timeout_ms=1500,
        )
        records = list(consumer)
        consumer.close()
        assert len(records) == count
        return records

    def rows(self):
        with self.engine.connect() as connection:
            return connection.execute(text("SELECT id, sentiment FROM document ORDER BY id")).all()

    def report(self):
        with self.engine.connect() as connection:
            return audit.audit(connection, "raw", {})


@pytest.fixture
async def bench(database_url, kafka_bootstrap, new_topic):
    engine = connect(database_url)
    producer = AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, enable_idempotence=True)
    await producer.start()
    yield Bench(engine, kafka_bootstrap, (new_topic("classified"), new_topic("dlq")), producer)
    await producer.stop()
    engine.dispose()


def document(n, words, **fields):
    return raw({"id": f"d{n:03}", "text": words, **fields}, offset=n)


async def test_every_record_meets_one_fate(bench):
    """Good records become rows and classified documents, malformed ones dead letters; the ledger has them all."""
    bad = raw(b"{broken", offset=2, key=b"k", headers=(("h", b"1"),))
    await bench.pipeline.process([document(0, "bad coffee"), document(1, "nice tea"), bad])
    assert bench.rows() == [("d000", "negative"), ("d001", "positive")]
    classified = bench.published(0, 2)
    assert json.loads(classified[0].value)["sentiment"] == "negative"
    assert dict(classified[0].headers)["ce_id"] == b"d000:0"
    [letter] = bench.published(1, 1)
    assert (letter.key, letter.value) == (b"k", b"{broken")
    assert ("h", b"1") in letter.headers
    assert read_error_headers(letter.headers)["exception.class.name"] == "bad_json"
    report = bench.report()
    assert report.is_clean
    assert report.ledger_lines == 1


async def test_record_without_key_and_value_is_dead_lettered(bench):
    """Kafka takes a record that has neither, and producers' `send` refuses it; it must not stop the worker."""
    await bench.pipeline.process([raw(None, offset=0, headers=(("h", None),)), document(1, "nice")])
    [letter] = bench.published(1, 1)
    assert (letter.key, letter.value) == (None, None)
    assert ("h", None) in letter.headers
    assert read_error_headers(letter.headers)["exception.class.name"] == "empty_value"
    assert bench.report().is_clean


async def test_guilty_record_is_found_alone(bench):
    """A batch that breaks the model is split until the guilty record is alone; all others are stored."""
    records = [document(n, "poison" if n == 5 else "nice") for n in range(9)]
    await bench.pipeline.process(records)
    assert [key for key, _ in bench.rows()] == [f"d{n:03}" for n in range(9) if n != 5]
    [letter] = bench.published(1, 1)
    assert read_error_headers(letter.headers)["offset"] == "5"
    assert read_error_headers(letter.headers)["exception.class.name"] == "poisons_its_batch"
    assert bench.report().is_clean


async def test_passing_fault_of_the_model_dead_letters_nothing(bench):
    """A device that resets fails a batch of one record, too; the record is tried again before it is given up."""
    classify, failures = bench.classifier.classify, [RuntimeError("device reset"), RuntimeError("device reset")]

    def recovers(texts):
        if failures:
            raise failures.pop()
        return classify(texts)

    bench.classifier.classify = recovers
    await bench.pipeline.process([document(0, "bad")])
    assert bench.rows() == [("d000", "negative")]
    assert bench.report().is_clean


async def test_model_that_refuses_everything_is_our_bug(bench):
    """When record after record is refused the worker stops, instead of emptying the topic into dead letters."""
    with pytest.raises(ContentError):
        await bench.pipeline.process([document(n, "poison") for n in range(40)])
    assert len(bench.published(1, 15)) == 15


async def test_redelivery_publishes_the_same_event_again(bench):
    """After a crash between commit and publish the events go out with the same ce_id; SQL stays as it is."""
    batch = [document(0, "bad"), document(1, "nice")]
    await bench.pipeline.process(batch)
    await bench.pipeline.process(batch)
    events = bench.published(0, 4)
    assert [dict(e.headers)["ce_id"] for e in events] == [b"d000:0", b"d001:0"] * 2
    assert json.loads(events[0].value) == json.loads(events[2].value)
    assert bench.report().is_clean


async def test_watched_brands_are_judged_one_by_one(bench):
    """What a document says of each watchlist is in SQL and on the classified topic, and differs by watchlist."""
    await bench.pipeline.process([document(0, "Acme sues bad Bolt"), document(1, "nice")])
    with bench.engine.connect() as connection:
        mentions = connection.execute(text("SELECT watchlist, sentiment FROM bi.mention ORDER BY watchlist")).all()
    assert mentions == [("acme", "positive"), ("bolt", "negative")]
    about, nothing = (json.loads(record.value) for record in bench.published(0, 2))
    assert {mention["watchlist"]: mention["sentiment"] for mention in about["mentions"]} == dict(mentions)
    assert "mentions" not in nothing
    assert bench.report().is_clean


async def test_model_is_swapped_between_batches(bench):
    """A prepared version takes over with the next batch; rows say which version produced them."""
    await bench.pipeline.process([document(0, "nice")])
    bench.classify._load = lambda path: Newer()
    assert bench.classify.prepare("words-2", "somewhere") is None
    await bench.pipeline.process([document(1, "nice")])
    with bench.engine.connect() as connection:
        versions = connection.execute(text("SELECT model_version FROM document ORDER BY id")).scalars().all()
    assert versions == ["words-1", "words-2"]


async def test_checkpoint_that_cannot_be_loaded_keeps_the_old_model(bench):
    """A bad promotion does not stop a worker."""

    def refuse(path):
        raise OSError("no such folder")

    bench.classify._load = refuse
    assert bench.classify.prepare("words-2", "nowhere") == "OSError: no such folder"
    await bench.pipeline.process([document(0, "nice")])
    assert bench.classify.version == "words-1"


async def test_far_future_is_judged_by_the_records_own_time(bench):
    """A replay a year later judges the same: the record's timestamp is the measure, not the wall clock."""
    late = document(0, "nice", published_at=(START + timedelta(days=3)).isoformat())
    await bench.pipeline.process([late])
    [letter] = bench.published(1, 1)
    assert read_error_headers(letter.headers)["exception.class.name"] == "published_in_future"


async def test_database_that_is_away_is_waited_for(bench, database_url):
    """While PostgreSQL refuses connections the batch waits; when it is back everything is stored once."""
    with bench.engine.begin() as connection:
        name = connection.scalar(text("SELECT current_database()"))
    admin = connect(database_url.rsplit("/", 1)[0] + "/postgres").execution_options(isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'))
        connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"), {"name": name}
        )
        work = asyncio.create_task(bench.pipeline.process([document(0, "bad")]))
        await asyncio.to_thread(
            wait_for, lambda: bench.pipeline._patience.holding == "store", 20, "the store step waits"
        )
        assert not work.done()
        connection.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'))
    admin.dispose()
    await asyncio.wait_for(work, 30)
    assert bench.rows() == [("d000", "negative")]


class Newer(WordClassifier):
    version = "words-2"
