"""One lane of work per receiver, side by side: a receiver that is slow or away holds up nobody but itself."""

from collections import Counter
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor, wait

MOST_LANES = 8  # each may hold a database connection for as long as its receiver takes to answer


class Lanes:
    """Runs at most one piece of work per key at a time. Used from one thread."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(MOST_LANES, thread_name_prefix="deliver")
        self._running: dict[Hashable, Future[Counter[str]]] = {}

    def start(self, key: Hashable, work: Callable[[], Counter[str]]) -> None:
        """Begin, unless this key's work of before still goes on."""
        if key not in self._running:
            self._running[key] = self._pool.submit(work)

    def wait(self, seconds: float | None) -> Counter[str]:
        """Wait so long for all of them (None: until they end), and add up what came of those that did.

        Raises what a piece of work raised, after the others are counted.
        """
        done, _ = wait(self._running.values(), timeout=seconds)
        self._running = {key: future for key, future in self._running.items() if future not in done}
        outcomes: Counter[str] = Counter()
        failed: BaseException | None = None
        for future in done:
            if error := future.exception():
                failed = error
            else:
                outcomes.update(future.result())
        if failed is not None:
            raise failed
        return outcomes

    def close(self) -> None:
        """Wait for what goes on; nothing starts any more."""
        self._pool.shutdown(wait=True, cancel_futures=True)
