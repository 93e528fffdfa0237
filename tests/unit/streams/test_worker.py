"""How a worker keeps several batches in hand, with a stream and a pipeline that do what they are told."""

import asyncio
from types import SimpleNamespace

import pytest

from core.settings import Settings
from streams.worker import BATCHES_IN_HAND, Worker


class Stream:
    """Twenty events of one partition, then silence. What happens is noted in `story`."""

    def __init__(self, story):
        self.story = story

    async def events(self):
        for offset in range(20):
            yield SimpleNamespace(
                message=SimpleNamespace(
                    topic="raw", partition=0, offset=offset, timestamp=1.0, key=None, value=b"{}", headers=None
                )
            )
        await asyncio.Event().wait()

    async def ack(self, event):
        self.story.append(("acknowledged", event.message.offset))


class SlowFirst:
    """A pipeline that prepares the first batch only when it is let go."""

    def __init__(self, story):
        self.story = story
        self.go = asyncio.Event()
        self.error = None

    async def prepare(self, records):
        self.story.append(("begun", records[0].offset))
        if records[0].offset == 0:
            await self.go.wait()
        if self.error:
            raise self.error
        return records

    async def settle(self, records):
        self.story.append(("settled", records[0].offset))


@pytest.fixture
async def scene():
    """The story, the pipeline, and a worker that carries batches of two."""
    story = []
    pipeline = SlowFirst(story)
    settings = Settings(worker={"batch_records": 2, "batch_wait_seconds": 0.01})
    worker = Worker(settings, "127.0.0.1:1", "postgresql://nobody@127.0.0.1:1/nothing")
    guard = SimpleNamespace(check=lambda records: None)
    task = asyncio.create_task(worker._carry(Stream(story), guard, pipeline))

    async def until(entries):
        async with asyncio.timeout(30):
            while len(story) < entries:  # noqa: ASYNC110  # the story is a plain list
                await asyncio.sleep(0.01)

    yield SimpleNamespace(story=story, pipeline=pipeline, task=task, until=until)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_batches_are_prepared_side_by_side_and_only_so_many(scene):
    """While one batch is in work others are begun, as many as are allowed in hand; none is settled before it."""
    await scene.until(BATCHES_IN_HAND)
    await asyncio.sleep(0.05)  # in which one too many would be begun
    assert scene.story == [("begun", 2 * n) for n in range(BATCHES_IN_HAND)]


async def test_batches_are_acknowledged_in_order_each_after_it_is_settled(scene):
    """No offset is acknowledged before those below it, nor before its own batch is settled."""
    scene.pipeline.go.set()
    await scene.until(10 + 10 + 20)
    told = [entry for entry in scene.story if entry[0] != "begun"]
    assert told == [
        entry
        for first in range(0, 20, 2)
        for entry in (("settled", first), ("acknowledged", first), ("acknowledged", first + 1))
    ]


async def test_an_unforeseen_error_ends_it_and_acknowledges_nothing(scene):
    """What is raised where nobody expects it comes out as it is; the batches behind it stay unacknowledged, too."""
    scene.pipeline.error = RuntimeError("nobody expected this")
    scene.pipeline.go.set()
    with pytest.raises(RuntimeError, match="nobody expected this"):
        await scene.task
    assert not [entry for entry in scene.story if entry[0] != "begun"]
