"""Server-sent events as a program reads them, and documents put on the topic that they come from."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
from kafka import KafkaProducer

from core.records import ClassifiedDocument, Mention
from tests.support.records import START


@dataclass(frozen=True)
class Event:
    """One event; `id` is empty where none was given."""

    name: str
    id: str
    data: Any


@asynccontextmanager
async def events(http: httpx.AsyncClient, path: str, **headers: str) -> AsyncIterator[AsyncIterator[Event]]:
    """The events of an address, while the block lasts."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with http.stream("GET", path, headers=sent) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _parsed(answer)


async def _parsed(answer: httpx.Response) -> AsyncIterator[Event]:
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            yield Event(fields.get("event", ""), fields.get("id", ""), json.loads(fields["data"]))
            fields = {}


def document(number: int, **changes: Any) -> ClassifiedDocument:
    """A classified document, of a few hundred bytes."""
    fields: dict[str, Any] = {
        "id": f"forum:{number}",
        "kind": "post",
        "source": "forum",
        "lang": "zh",
        "published_at": START,
        "text": f"奶茶喝完肚子疼，再也不会去了 {number}",
        "topic_label": "food",
        "topic_scores": {"food": 0.9, "sports": 0.1},
        "sentiment": "negative",
        "sentiment_scores": {"negative": 0.9, "neutral": 0.05, "positive": 0.05},
        "model_version": "m1",
    }
    return ClassifiedDocument(**(fields | changes))


def mention(watchlist: str) -> Mention:
    return Mention(watchlist=watchlist, mentions=1, sentiment="negative", sentiment_scores={"negative": 1.0})


class Publisher:
    """Writes as a worker does."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=5)
        self._topic = topic

    def publish(self, documents: Sequence[ClassifiedDocument]) -> None:
        """Returns when the broker has them."""
        self.send(
            (one.id.encode(), msgspec.json.encode(one), f"{one.id}:{one.revision}".encode()) for one in documents
        )

    def send(self, records: "Iterator[tuple[bytes, bytes, bytes]]", partition: int | None = None) -> None:
        """Key, value and `ce_id` of each."""
        sent = [
            self._producer.send(self._topic, key=key, value=value, headers=[("ce_id", ce_id)], partition=partition)
            for key, value, ce_id in records
        ]
        self._producer.flush()
        for one in sent:
            one.get(30)

    def close(self) -> None:
        self._producer.close()
