"""Events into batches, with a stream that is a queue."""

import asyncio
import time

import pytest

from streams.batches import Batches


class Stream:
    """As much of Faust's stream as batches use; ends when None is put."""

    def __init__(self):
        self.enable_acks = True
        self.queue = asyncio.Queue()
        self.acknowledged = []

    async def events(self):
        while (event := await self.queue.get()) is not None:
            yield event

    async def ack(self, event):
        self.acknowledged.append(event)

    def put(self, *events):
        for event in events:
            self.queue.put_nowait(event)


@pytest.fixture
async def stream():
    return Stream()


@pytest.fixture
async def start(stream):
    """Starts batches of four, whose `fill` is ended with the test."""
    tasks = []

    def build(*, wait_seconds):
        batches = Batches(stream, most=4, wait_seconds=wait_seconds)
        tasks.append(asyncio.create_task(batches.fill()))
        return batches

    yield build
    for task in tasks:
        task.cancel()


async def test_a_full_batch_is_handed_out_at_once(stream, start):
    """Nobody waits for more than fits; what is left over is the beginning of the next batch."""
    batches = start(wait_seconds=3600)
    stream.put(*range(9))
    assert [await batches.take(), await batches.take()] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    stream.put(*range(9, 12))
    assert await batches.take() == [8, 9, 10, 11]


async def test_an_idle_worker_waits_a_little_for_more(stream, start):
    """Events that come shortly after the first one go with it."""
    batches = start(wait_seconds=0.3)
    stream.put(0)
    taken = asyncio.create_task(batches.take())
    await asyncio.sleep(0.02)
    stream.put(1)
    assert await taken == [0, 1]


async def test_a_busy_worker_waits_for_nothing(stream, start):
    """Events that waited long enough while others were in work are taken at once."""
    batches = start(wait_seconds=0.3)
    stream.put(0, 1)
    await asyncio.sleep(0.35)
    asked_at = time.monotonic()
    assert await batches.take() == [0, 1]
    assert time.monotonic() - asked_at < 0.15


async def test_no_more_than_a_batch_waits(stream, start):
    """What the worker cannot take yet stays in the stream, where the broker's flow control sees it."""
    start(wait_seconds=3600)
    stream.put(*range(9))
    await asyncio.sleep(0.02)
    assert stream.queue.qsize() == 5


async def test_a_batch_is_acknowledged_when_it_is_said(stream, start):
    """Faust acknowledges nothing by itself, and then all events of the batch in their order."""
    batches = start(wait_seconds=0.01)
    assert stream.enable_acks is False
    stream.put(0, 1, 2)
    batch = await batches.take()
    assert stream.acknowledged == []
    await batches.acknowledge(batch)
    assert stream.acknowledged == [0, 1, 2]


async def test_filling_ends_with_the_stream(stream):
    """The worker notices a stream that ends by itself."""
    stream.put(0, None)
    await asyncio.wait_for(Batches(stream, most=4, wait_seconds=1).fill(), 1)
