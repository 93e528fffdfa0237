"""Programs that read the streams: `opinion_client`, its examples, and the one in JavaScript."""

import contextlib
import itertools
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from core.clock import SystemClock
from core.records import AlertEvent, ClassifiedDocument
from opinion_client import Console, Kafka, StreamError
from storage.engine import connect
from streams import topics
from streams.live.feed import Feed, delivery_id, document_id
from streams.live.hub import Bounds, Hub
from tests.integration.test_stream import publish_with_repeats
from tests.support.consoles import serving
from tests.support.events import Publisher, document
from tests.support.node import kafkajs_example
from tests.support.records import START
from tests.support.waiting import wait_for
from web.app import create_app
from web.streaming import Streams

ROOT = Path(__file__).parents[2]
PATIENCE = 60
ALERT = AlertEvent(
    delivery_id="d1", incident_id=7, fingerprint="f", status="firing", severity="warning", labels={"topic": "food"},
    annotations={}, starts_at=START, detected_at=START, observed=9, expected=1,
)  # fmt: skip


@pytest.fixture
def prefix(topic_prefix: str, new_topic: Callable[..., str]) -> str:
    """Of topics with the names that programs know."""
    new_topic(topics.CLASSIFIED, partitions=2)
    new_topic(topics.ALERT)
    return f"{topic_prefix}."


@pytest.fixture
def publisher(kafka_bootstrap: str, prefix: str) -> Iterator[Publisher]:
    made = Publisher(kafka_bootstrap, prefix + topics.CLASSIFIED)
    yield made
    made.close()


@contextlib.contextmanager
def consoles(bootstrap: str, prefix: str) -> Iterator[str]:
    """The address of a console for which nothing is stored, and nothing erased."""

    def hub(topic: str, event: str, record: type, identity: Callable[..., str]) -> Hub:  # type: ignore[type-arg]
        feed: Feed[ClassifiedDocument] = Feed(prefix + topic, event, record, identity, lambda values: values)
        return Hub(lambda: bootstrap, feed, SystemClock(), Bounds(ping_seconds=0.5))

    streams = Streams(
        hub(topics.CLASSIFIED, "document", ClassifiedDocument, document_id),
        hub(topics.ALERT, "incident", AlertEvent, delivery_id),
    )
    away = connect("postgresql://nobody@127.0.0.1:1/none")
    with serving(create_app(away, stream=streams)) as url:
        yield url
    away.dispose()


def test_the_client_goes_on_where_it_ended(
    kafka_bootstrap: str, prefix: str, publisher: Publisher, tmp_path: Path
) -> None:
    """Over HTTP with a file for the cursor: a program that is stopped at any document and started again does each
    once, but for the one that it was at work on, which comes again."""
    documents = [document(n) for n in range(300)]
    publish_with_repeats(publisher, documents, random.Random(3))
    with consoles(kafka_bootstrap, prefix) as url:
        done: list[str] = []
        for stop_at in (1, 80):
            reading = Console(url).documents(start="start", cursor_file=tmp_path / "cursor")
            done += until(reading, stop_at)[:-1]
        done += until(Console(url).documents(cursor_file=tmp_path / "cursor"), 300 - len(done))
        assert sorted(done) == sorted(one.id for one in documents)
        with pytest.raises(StreamError, match="bad_cursor"):
            next(Console(url).documents(start="nonsense"))


def test_the_client_reads_kafka(kafka_bootstrap: str, prefix: str, publisher: Publisher) -> None:
    """A group goes on where it ended, and misses nothing; within one run each document comes once."""
    documents = [document(n) for n in range(300)]
    publish_with_repeats(publisher, documents, random.Random(3))
    kafka = Kafka(kafka_bootstrap, group=prefix + "g", topic_prefix=prefix)
    first = until(kafka.documents(), 80)
    second: list[str] = []
    reading = kafka.documents()
    while len({*first, *second}) < 300:
        second.append(next(reading).id)
    reading.close()  # type: ignore[attr-defined]
    assert len(set(first)) == 80
    assert len(set(second)) == len(second) < 300, "the group went on where it had ended"


def until(reading: Iterator[ClassifiedDocument], count: int) -> list[str]:
    """The ids of so many documents; the program ends while it is at work on the last."""
    done = [found.id for found in itertools.islice(reading, count)]
    reading.close()  # type: ignore[attr-defined]
    return done


def test_the_examples_run(kafka_bootstrap: str, prefix: str, publisher: Publisher, tmp_path: Path) -> None:
    """Each example prints the documents and incidents that come, and each document once, though it comes twice."""
    node = kafkajs_example()
    alerts = Publisher(kafka_bootstrap, prefix + topics.ALERT)
    alerts.send([(b"f", msgspec.json.encode(ALERT), b"d1")] * 2)
    alerts.close()
    with consoles(kafka_bootstrap, prefix) as url, contextlib.ExitStack() as stack:

        def run(*command: str) -> Running:
            return stack.enter_context(Running(command, tmp_path))

        python = [sys.executable]
        console = run(*python, str(ROOT / "examples/python/watch_console.py"), url)
        kafka = run(*python, str(ROOT / "examples/python/watch_kafka.py"), kafka_bootstrap, prefix)
        incidents = run(*python, str(ROOT / "examples/python/watch_incidents.py"), url)
        kafkajs = run("node", str(node / "consume.js"), kafka_bootstrap, prefix + "js", prefix + topics.CLASSIFIED)
        wait_for(lambda: "document" in "".join(published(publisher, console)), PATIENCE, "the console's example")
        publisher.publish([document(n, text="end") for n in range(900, 903)])
        wait_for(lambda: console.lines[-1:] and "end" in console.lines[-1], PATIENCE, "the last document")
        in_all = len(console.lines)
        wait_for(lambda: len(kafka.lines) >= in_all, PATIENCE, "the same from Kafka")
        wait_for(lambda: len(kafkajs.lines) >= in_all, PATIENCE, "the same in JavaScript")
        wait_for(lambda: incidents.lines, PATIENCE, "the incident")
    seen = [json.loads(line)["id"] for line in kafkajs.lines]
    assert len(seen) == len(set(seen))
    assert incidents.lines == ["7 firing warning {'topic': 'food'}"]


def published(publisher: Publisher, console: "Running") -> Sequence[str]:
    """A document, twice, until the example shows one: it reads from now on, and nobody knows when it does."""
    if not console.lines:
        one = document(time.monotonic_ns(), text="document")
        publisher.publish([one, one])
        time.sleep(0.2)
    return console.lines


class Running:
    """A program, and the lines that it has printed so far."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._thread.join(10)

    def _read(self) -> None:
        assert self._process.stdout
        with self._process.stdout as lines:
            self.lines.extend(line.rstrip("\n") for line in lines)
