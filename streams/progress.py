"""What a worker is at: written by its agent, read by the watchdog's thread."""

from collections import Counter, deque
from collections.abc import Callable, Iterable


class Progress:
    """Tells work that is slow from work that stands still.

    A batch may take longer than anyone waits, and its partitions' offsets are committed only after it. So a sign of
    life from within the batches in hand counts as progress of their partitions, but only until the next is settled: a
    worker that settles batch after batch and commits nothing does stand still.

    Attributes:
        assigned: the raw topic's partitions that this worker's consumer has.
    """

    def __init__(self, signs: Callable[[], float]) -> None:
        """Args:
        signs: a number that grows while a batch is worked on; cheap, and callable from any thread.
        """
        self._signs = signs
        self._seen = signs()
        self._in_hand: deque[frozenset[int]] = deque()
        self._finished: Counter[int] = Counter()
        self.assigned: frozenset[int] = frozenset()

    def begin(self, partitions: Iterable[int]) -> None:
        """A batch with records of these partitions is in hand; others may be, too."""
        self._in_hand.append(frozenset(partitions))

    def finish(self) -> None:
        """The batch that was begun first is settled; its offsets are to be committed."""
        for partition in self._in_hand.popleft():
            self._finished[partition] += 1

    def finished(self, partition: int) -> int:
        """How many batches with records of the partition were settled."""
        return self._finished[partition]

    def advancing(self) -> frozenset[int]:
        """The partitions of the batches in hand if there was a sign of life since this was last asked."""
        seen, self._seen = self._seen, self._signs()
        return frozenset().union(*self._in_hand.copy()) if self._seen != seen else frozenset()
