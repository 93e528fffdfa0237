"""Notices skipped offsets before they are acknowledged."""

from collections.abc import Callable, Sequence

from streams.dead_letters import RawRecord


class SkippedOffsetsError(Exception):
    """The consumer jumped over records that nobody has settled."""


class HoleGuard:
    """Follows each partition's offsets. Not thread-safe: one agent uses it.

    Needs an input topic whose offsets have no gaps: not compacted, not written by transactions.
    """

    def __init__(self, allowed_start: Callable[[int], int]) -> None:
        """Args:
        allowed_start: the next offset the group may start from in a partition (its committed offset, or the
            log's start where that is higher). Asks the broker; called only after a jump.
        """
        self._allowed_start = allowed_start
        self._last: dict[int, int] = {}

    def check(self, records: Sequence[RawRecord]) -> None:
        """Blocking when it has to ask the broker.

        Raises:
            SkippedOffsetsError: a record follows a hole; nothing of this batch may be acknowledged.
        """
        for record in records:
            last = self._last.get(record.partition)
            if last is None or record.offset > last + 1:
                allowed = self._allowed_start(record.partition)
                if record.offset > allowed:
                    raise SkippedOffsetsError(
                        f"partition {record.partition}: offset {record.offset} came after {last}; "
                        f"the group stands at {allowed}"
                    )
            self._last[record.partition] = record.offset
