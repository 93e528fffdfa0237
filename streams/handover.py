"""Hands partitions over with everything committed that is settled, so that the next worker repeats nothing."""

from typing import Any

from faust.transport.drivers.aiokafka import Consumer


class HandoverConsumer(Consumer):  # type: ignore[misc]  # faust is not typed
    """Commits before it lets go.

    Faust 0.15.3 forgets the acknowledgements of revoked partitions before its commit of a rebalance: whatever was
    acknowledged since the last timed commit, up to a second's work of every worker, would be done again.
    """

    async def on_partitions_revoked(self, revoked: Any) -> None:
        # A commit under way may be older than the newest acknowledgements, and `commit` then leaves these out.
        await self.maybe_wait_for_commit_to_finish()
        await self.commit()
        await super().on_partitions_revoked(revoked)
