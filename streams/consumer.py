"""Faust's consumer, mended where it would repeat work at a rebalance, or hold more than the memory has room for."""

from collections.abc import AsyncIterator
from typing import Any
from weakref import WeakSet

from faust.transport.drivers.aiokafka import Consumer

BUFFER_BYTES = 64 * 1024 * 1024
"""Values that are read and not yet settled. Faust's own bound is by number: 512 values of 4 MB are 2 GB."""
SMALL_BYTES = 16 * 1024  # so many small ones as Faust holds are never too much, and need no counting
ROOM_SECONDS = 0.05


class OpinionConsumer(Consumer):  # type: ignore[misc]  # faust is not typed
    """Commits before it lets partitions go, and reads on only while what it holds has room."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._large: WeakSet[Any] = WeakSet()  # what a rebalance throws away leaves it by itself

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Commit first: Faust 0.15.3 forgets the acknowledgements of revoked partitions before its commit of a
        rebalance, and whatever was acknowledged since the last timed commit, up to a second's work of every worker,
        would be done again."""
        # A commit under way may be older than the newest acknowledgements, and `commit` then leaves these out.
        await self.maybe_wait_for_commit_to_finish()
        await self.commit()
        await super().on_partitions_revoked(revoked)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[Any, Any]]:  # noqa: ASYNC109  # as Faust has it
        """Faust's records, each once there is room for it. Ends early when a rebalance suspends the flow, as Faust
        does: what was fetched is read again from the committed offset."""
        async for partition, message in super().getmany(timeout):
            while not self._has_room(message):
                if not self.flow_active or self.should_stop:
                    return
                await self.sleep(ROOM_SECONDS)
            yield partition, message

    def _has_room(self, message: Any) -> bool:
        size = len(message.value or b"")
        if size <= SMALL_BYTES:
            return True
        held = sum(len(one.value) for one in list(self._large) if not one.acked)
        if held and held + size > BUFFER_BYTES:
            return False
        self._large.add(message)
        return True
