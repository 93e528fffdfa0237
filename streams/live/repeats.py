"""Which records of a topic say again what an earlier one said."""

from typing import Final

REMEMBERED: Final = 100_000  # some 15 MB; a worker that was killed publishes its last seconds again


class Repeats:
    """Remembers where each `ce_id` came first. Equal ids have equal keys, and so one partition.

    That a record repeats is a property of the log, whoever reads it: so one memory serves all readers.
    """

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._first: dict[int, int] = {}

    def is_repeat(self, ce_id: str, offset: int) -> bool:
        """Whether the same id is known at a lower offset; remembers it."""
        key = hash(ce_id)  # 8 bytes for an id: two of a hundred thousand agree once in 4 * 10^9 processes
        first = self._first.get(key)
        if first is not None and first < offset:
            return True
        if first is None and len(self._first) >= self._remembered:
            del self._first[next(iter(self._first))]
        self._first[key] = offset
        return False

    def knows_earlier(self, ce_id: str, offset: int) -> bool:
        """Whether the same id is known at a lower offset; remembers nothing."""
        first = self._first.get(hash(ce_id))
        return first is not None and first < offset
