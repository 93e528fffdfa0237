"""A cure for records lost on a group's first run."""

from typing import Any

from aiokafka import AIOKafkaConsumer


def heal_first_run() -> None:
    """Make `AIOKafkaConsumer.seek_to_committed` go to the beginning where the group has committed nothing.

    aiokafka leaves such partitions where the fetcher happens to be; records fetched during a rebalance and
    then dropped are never read again (aiokafka issue 1003). Idempotent; called once before the app starts.
    """
    original = AIOKafkaConsumer.seek_to_committed
    if getattr(original, "heals_first_run", False):
        return

    async def seek_to_committed(self: AIOKafkaConsumer, *partitions: Any) -> Any:
        committed = await original(self, *partitions)
        fresh = [partition for partition, offset in committed.items() if not offset]
        if fresh:
            await self.seek_to_beginning(*fresh)
        return committed

    seek_to_committed.heals_first_run = True  # type: ignore[attr-defined]
    AIOKafkaConsumer.seek_to_committed = seek_to_committed
