"""`GET /api/v1/stream` of the real console: over HTTP, out of a real topic."""

import asyncio
import contextlib
import json
import random
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import httpx
import msgspec
import pytest
from aiokafka.errors import KafkaConnectionError
from kafka import KafkaAdminClient, TopicPartition
from sqlalchemy import Engine

from core import cursors
from core.clock import SystemClock
from core.metrics import STREAM_STRETCHES
from core.records import AlertEvent, ClassifiedDocument
from opinion.live_streams import streams_of
from storage import erasure
from storage.engine import connect
from streams.live import hub
from streams.live.feed import Feed, delivery_id, document_id
from streams.live.hub import Bounds, Hub
from tests.support.consoles import serving
from tests.support.events import Event, Publisher, document, events, mention
from tests.support.records import START, row
from tests.support.rows import store_rows
from tests.support.waiting import wait_for
from web.app import create_app
from web.routes import streaming
from web.streaming import Streams

PATH = "/api/v1/stream"
SMALL = Bounds(records=300, bytes=400_000, seconds=20, ping_seconds=0.5, side_readers=2)
PATIENCE = 60


class Console:
    """A console with both streams of topics of its own."""

    def __init__(self, url: str, bootstrap: str, streams: Streams, publisher: Publisher) -> None:
        self.url, self.bootstrap, self.streams, self.publisher = url, bootstrap, streams, publisher

    def http(self) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=None)
        return httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=PATIENCE, limits=limits)


@contextlib.contextmanager
def consoles(bootstrap: str | None, engine: Engine | None, classified: str, bounds: Bounds = SMALL) -> Iterator[Any]:
    if engine is not None:
        streams = streams_of(lambda: bootstrap, engine, classified=classified, alerts="none", bounds=bounds)
    else:  # nothing is stored, and nothing erased
        feed = Feed(classified, "document", ClassifiedDocument, document_id, lambda values: values)
        none = Feed("none", "incident", AlertEvent, delivery_id, lambda values: values)
        clock = SystemClock()
        streams = Streams(
            Hub(lambda: bootstrap, feed, clock, bounds), Hub(lambda: None, none, clock, bounds), most_readers=60
        )
    away = connect("postgresql://nobody@127.0.0.1:1/none")
    with serving(create_app(engine or away, stream=streams)) as url:
        publisher = Publisher(bootstrap, classified) if bootstrap else None
        yield Console(url, bootstrap or "", streams, publisher)  # type: ignore[arg-type]
        if publisher:
            publisher.close()
    away.dispose()


@pytest.fixture
def classified(new_topic: Callable[..., str]) -> str:
    return new_topic("classified", partitions=3)


@pytest.fixture
def console(kafka_bootstrap: str, classified: str) -> Iterator[Console]:
    with consoles(kafka_bootstrap, None, classified) as made:
        yield made


async def taken(stream: AsyncIterator[Event], count: int, name: str = "document") -> list[Event]:
    """The next events of this name."""
    found: list[Event] = []
    async with asyncio.timeout(PATIENCE):
        while len(found) < count:
            event = await anext(stream)
            if event.name == name:
                found.append(event)
    return found


def ids(found: Sequence[Event]) -> list[str]:
    return [event.data["id"] for event in found]


async def test_fifty_readers_miss_nothing_and_hear_nothing_twice(console: Console) -> None:
    """Each gets exactly what it wants, once: those that keep up, one that reads nothing for a while, and one that is
    cut off again and again; though the topic holds repeats, and what is held for all is far less than what comes."""
    rng = random.Random(7)
    sources = ["forum", "news", *["blog"] * 4] * 150  # blogs are long, so that a slow reader cannot hide in buffers
    documents = [
        document(n, source=source, text="奶" * (4000 if source == "blog" else 20)) for n, source in enumerate(sources)
    ]
    wanted = {source: [one.id for one in documents if one.source == source] for source in ("forum", "news", "blog")}
    stretches = STREAM_STRETCHES.labels("document")
    stretches_before = stretches._value.get()

    async def reader(http: httpx.AsyncClient, source: str, are_open: asyncio.Semaphore) -> list[str]:
        async with events(http, f"{PATH}?source={source}") as stream:
            await taken(stream, 1, "ping")
            are_open.release()
            return ids(await taken(stream, len(wanted[source])))

    async def restless(http: httpx.AsyncClient, are_open: asyncio.Semaphore) -> list[str]:
        found: list[Event] = []
        last = ""
        while len(found) < len(wanted["blog"]):
            async with events(http, f"{PATH}?source=blog", Last_Event_ID=last) as stream:
                last = (await taken(stream, 1, "ping"))[0].id
                are_open.release()
                part = await taken(stream, min(rng.randint(1, 150), len(wanted["blog"]) - len(found)))
                found += part
                last = part[-1].id
            await asyncio.sleep(rng.random() * 0.1)  # the ring may go on without it
        return ids(found)

    async with console.http() as http:
        are_open = asyncio.Semaphore(0)
        tasks = [asyncio.create_task(reader(http, ("forum", "news")[n % 2], are_open)) for n in range(48)]
        tasks.append(asyncio.create_task(restless(http, are_open)))
        slow = SlowReader(console.url, f"{PATH}?source=blog")
        for _ in range(49):
            await asyncio.wait_for(are_open.acquire(), PATIENCE)
        await asyncio.to_thread(publish_with_repeats, console.publisher, documents, rng)
        found = await asyncio.wait_for(asyncio.gather(*tasks), 2 * PATIENCE)
        assert (await http.get(f"{PATH}?source=none&cursor=x")).status_code == 422
        seen_slowly = await asyncio.to_thread(slow.read, len(wanted["blog"]))
    for n in range(48):
        assert sorted(found[n]) == sorted(wanted[("forum", "news")[n % 2]])
    assert sorted(found[48]) == sorted(wanted["blog"])
    assert sorted(seen_slowly) == sorted(wanted["blog"])
    assert stretches._value.get() > stretches_before, "the slow one was sent back to Kafka"
    documents_hub: Any = console.streams.documents
    assert documents_hub.ring.end - documents_hub.ring.first <= SMALL.records
    assert documents_hub.ring._bytes <= SMALL.bytes
    wait_for(lambda: documents_hub.readers == 0, 10, "nobody is counted as a reader any more")


def publish_with_repeats(publisher: Publisher, documents: Sequence[ClassifiedDocument], rng: random.Random) -> None:
    """In parts, each with some of the documents of the last parts once more, as after the kill of a worker."""
    for start in range(0, len(documents), 150):
        again = rng.sample(documents[max(0, start - 300) : start], 50) if start else []
        publisher.publish([*documents[start : start + 150], *again])


class SlowReader:
    """Opens a stream and lets the bytes lie in a small buffer until `read`."""

    def __init__(self, url: str, path: str) -> None:
        host, port = url.removeprefix("http://").split(":")
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.settimeout(PATIENCE)
        self._socket.connect((host, int(port)))
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert self._socket.recv(12) == b"HTTP/1.1 200"

    def close(self) -> None:
        self._socket.close()

    def read(self, count: int) -> list[str]:
        lines = self._socket.makefile("rb")
        found: list[str] = []
        for line in lines:
            if line.startswith(b"data: ") and b'"id":' in line:
                found.append(json.loads(line[6:])["id"])
            if len(found) == count:
                break
        self.close()
        return found


async def test_a_reader_says_what_it_wants_and_where_it_begins(console: Console) -> None:
    """Filters, `cursor=start`, `since`, `Last-Event-ID` over `cursor`; a cursor that is none is 422."""
    first = [
        document(0, topic_label="sports", lang="en", kind="news"),
        document(1, sentiment="positive", mentions=(mention("Acme"),), text="</script>\u2028<b>&\r\n"),
        document(2, source="news"),
    ]
    console.publisher.publish(first)
    await asyncio.sleep(0.05)  # records have times of whole milliseconds
    between = datetime.now(UTC)
    console.publisher.publish([document(3)])

    async def found(query: str, count: int, **headers: str) -> list[Event]:
        async with console.http() as http, events(http, f"{PATH}?{query}", **headers) as stream:
            return await taken(stream, count)

    assert sorted(ids(await found("cursor=start", 4))) == [f"forum:{n}" for n in range(4)]
    for query, wanted in {
        "topic=sports": "forum:0", "language=en": "forum:0", "kind=news": "forum:0", "watchlist=Acme": "forum:1",
        "sentiment=positive": "forum:1", "source=news": "forum:2",
    }.items():  # fmt: skip
        assert ids(await found(f"cursor=start&{query}", 1)) == [wanted]
    since = between.isoformat().replace("+", "%2B")
    assert ids(await found(f"since={since}", 1)) == ["forum:3"]
    [hostile] = await found("cursor=start&watchlist=Acme", 1)
    assert hostile.data == json.loads(msgspec.json.encode(first[1]))
    assert ids(await found("cursor=start&topic=sports", 1, Last_Event_ID="")) == ["forum:0"]
    all_four = await found("cursor=start", 4)
    assert ids(await found("cursor=start", 1, Last_Event_ID=all_four[2].id)) == ids(all_four[3:])

    async with console.http() as http:
        raw = await raw_bytes(http, f"{PATH}?cursor=start&watchlist=Acme", b"forum:1")
        assert b"<" not in raw
        assert "\u2028".encode() not in raw
        of_incidents = cursors.write("none", [0])
        for bad in ("cursor=x", f"cursor={of_incidents}", f"cursor={all_four[0].id[:-1]}", "cursor=%00", "kind=x",
                    "sentiment=sad", "since=yesterday", "since=2026-01-01T00:00:00", f"cursor=start&since={since}",
                    "topic=%00", "cursor=" + "A" * 9000):  # fmt: skip
            answer = await http.get(f"{PATH}?{bad}")
            assert (answer.status_code, bool(answer.json()["error"]["remedy"])) == (422, True), bad
        away = await http.get(f"{PATH}/incidents")
        assert (away.status_code, away.json()["error"]["code"]) == (503, "stream_away")
        assert away.headers["Retry-After"] == "5"


async def raw_bytes(http: httpx.AsyncClient, path: str, until: bytes) -> bytes:
    async with http.stream("GET", path) as answer:
        raw = b""
        async for part in answer.aiter_raw():
            raw += part
            if until in raw and raw.endswith(b"\n\n"):
                return raw
    return raw


async def test_what_is_gone_is_told(console: Console, classified: str) -> None:
    """A cursor older than what Kafka holds gets a gap that counts what is lost, and goes on; a cursor of a topic that
    was made anew is told so, instead of waiting for offsets that come some day."""
    for part in range(3):
        values = (msgspec.json.encode(document(n)) for n in range(10))
        records = ((b"k", value, f"{part}-{n}".encode()) for n, value in enumerate(values))
        console.publisher.send(records, partition=part)
    admin = KafkaAdminClient(bootstrap_servers=console.bootstrap)
    admin.delete_records({TopicPartition(classified, 0): 4, TopicPartition(classified, 1): 10})
    admin.close()
    async with console.http() as http:
        old = cursors.write(classified, [1, 2, 8])
        async with events(http, f"{PATH}?cursor={old}") as stream:
            [gap] = await taken(stream, 1, "gap")
            assert gap.data == {"reason": "expired", "lost": 3 + 8}
            assert cursors.read(classified, gap.id) == [4, 10, 8]
            assert len(await taken(stream, 6 + 2)) == 8
        for strange in ([11, 0, 0], [0] * 4):
            async with events(http, f"{PATH}?cursor={cursors.write(classified, strange)}") as stream:
                [gap] = await taken(stream, 1, "gap")
                assert gap.data["reason"] == "unknown"
                assert len(await taken(stream, 6 + 10)) == 16
        fewer = cursors.write(classified, [4])  # before the topic got more partitions
        async with events(http, f"{PATH}?cursor={fewer}") as stream:
            assert len(await taken(stream, 16)) == 16


async def test_readers_stay_while_the_broker_is_away(console: Console, kafka_bootstrap: str) -> None:
    """They get pings that say so, and then what came meanwhile; who comes anew is asked to come again."""
    documents: Any = console.streams.documents
    async with console.http() as http, events(http, PATH) as stream:
        await taken(stream, 1, "ping")
        documents._bootstrap = lambda: "127.0.0.1:1"
        with (
            patch.object(hub.consuming, "bounds", side_effect=KafkaConnectionError("gone")),
            patch.object(hub, "PROBE_SECONDS", 0.0),
        ):
            async with asyncio.timeout(PATIENCE):
                while (await anext(stream)).data["broker"]:
                    pass
            answer = await http.get(PATH)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        console.publisher.publish([document(1)])
        documents._bootstrap = lambda: kafka_bootstrap
        assert ids(await taken(stream, 1)) == ["forum:1"]
        async with asyncio.timeout(PATIENCE):
            while not (await anext(stream)).data.get("broker"):
                pass


async def test_a_reader_that_takes_nothing_is_given_up(console: Console) -> None:
    """Dead connections do not add up: their place is free again, and the others never notice."""
    with patch.object(streaming, "STUCK_SECONDS", 0.3), patch.object(streaming, "LAST_WORD_SECONDS", 0.1):
        stuck = SlowReader(console.url, PATH)
        documents: Any = console.streams.documents
        await asyncio.to_thread(wait_for, lambda: documents.readers == 1, 10, "the reader is there")
        big = [document(n, text="奶" * 20_000) for n in range(100)]
        await asyncio.to_thread(console.publisher.publish, big)
        await asyncio.to_thread(wait_for, lambda: documents.readers == 0, 10, "the reader was given up")
        stuck.close()


async def test_too_many_readers_are_turned_away(console: Console) -> None:
    """The limit holds for both streams together, and says when to come again."""
    console.streams.documents.readers = 60  # type: ignore[misc]
    async with console.http() as http:
        answer = await http.get(f"{PATH}/incidents")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "stream_full")
    console.streams.documents.readers = 0  # type: ignore[misc]


def test_a_console_without_a_broker_says_so(database_url: str) -> None:
    """503 with Retry-After, in the shape of every error."""
    engine = connect(database_url)
    with serving(create_app(engine)) as url:
        answer = httpx.get(f"{url}{PATH}", trust_env=False)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_stream")
    assert answer.headers["Retry-After"]
    engine.dispose()


async def test_what_was_erased_is_not_shown_again(
    kafka_bootstrap: str, database_url: str, new_topic: Callable[..., str]
) -> None:
    """Kafka still holds an erased document, and an alert that quotes it: who reads back sees neither."""
    classified, alerts = new_topic("classified"), new_topic("alert")
    engine = connect(database_url)
    store_rows(engine, [row("forum:1", 1), row("forum:2", 2)])
    alert = AlertEvent(
        delivery_id="d1", incident_id=1, fingerprint="f", status="firing", severity="warning",
        labels={"topic": "food"}, annotations={"summary": "up\n> a secret of mine"}, starts_at=START,
        detected_at=START, observed=9, expected=1,
        evidence={"documents": [{"id": "forum:1", "text": "a secret of mine"}, {"id": "forum:2", "text": "x"}]},
    )  # fmt: skip
    for topic, values in ((classified, [document(1), document(2)]), (alerts, [alert])):
        publisher = Publisher(kafka_bootstrap, topic)
        publisher.send((b"k", msgspec.json.encode(value), f"c{n}".encode()) for n, value in enumerate(values))
        publisher.close()
    with engine.begin() as connection:
        erasure.erase(connection, ["forum:1"])
    streams = streams_of(lambda: kafka_bootstrap, engine, classified=classified, alerts=alerts, bounds=SMALL)
    with serving(create_app(engine, stream=streams)) as url:
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=PATIENCE) as http:
            async with events(http, f"{PATH}?cursor=start") as stream:
                assert ids(await taken(stream, 1)) == ["forum:2"]
            async with events(http, f"{PATH}/incidents?cursor=start&topic=food&severity=warning") as stream:
                [told] = await taken(stream, 1, "incident")
    assert told.data["evidence"]["documents"] == [{"id": "forum:2", "text": "x"}]
    assert "secret" not in json.dumps(told.data)
    engine.dispose()
