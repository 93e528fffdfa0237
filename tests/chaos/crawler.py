"""The crawler that produces the stream of a run, with bursts."""

import threading
import time
from collections.abc import Sequence
from random import Random

from kafka import KafkaProducer

from tests.chaos.stream import Record

BURST_FACTOR = 10
BURST_SHARE = 0.2  # of the records come in bursts
BURST_RECORDS = 400
DELIVERY_MILLISECONDS = 600_000  # longer than any outage of the schedule


class Crawler:
    """A thread that produces the records in order, over about `seconds`, with bursts of ten times the usual rate."""

    def __init__(self, bootstrap: str, topic: str, records: Sequence[Record], *, seconds: float, seed: int) -> None:
        self._bootstrap, self._topic, self._records = bootstrap, topic, records
        self._pace = _pace(len(records), seconds)
        self._random = Random(f"bursts-{seed}")
        self._thread = threading.Thread(target=self._run, name="crawler", daemon=True)
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self.sent = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End early; for a run that failed."""
        self._stop.set()
        self._thread.join(timeout=30)

    def is_done(self) -> bool:
        """Whether all is produced and acknowledged; raises what went wrong."""
        if self._error is not None:
            raise self._error
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._produce()
        except BaseException as error:  # told to the main thread by `is_done`
            self._error = error

    def _produce(self) -> None:
        producer = KafkaProducer(
            bootstrap_servers=self._bootstrap.split(","),
            acks="all",
            enable_idempotence=True,
            linger_ms=20,
            retries=2**31 - 1,
            delivery_timeout_ms=DELIVERY_MILLISECONDS,
            max_block_ms=DELIVERY_MILLISECONDS,
            max_request_size=8 * 1024 * 1024,
        )
        acknowledged = []
        due = time.monotonic()
        burst_left = 0
        for record in self._records:
            if not burst_left and self._random.random() < BURST_SHARE / BURST_RECORDS / (1 - BURST_SHARE):
                burst_left = BURST_RECORDS
            due += self._pace / (BURST_FACTOR if burst_left else 1)
            burst_left = max(0, burst_left - 1)
            if self._stop.wait(max(0.0, due - time.monotonic())):
                break
            acknowledged.append(producer.send(self._topic, key=record.key, value=record.value))
            self.sent += 1
        for future in acknowledged:  # raises when the broker never took one
            future.get(timeout=DELIVERY_MILLISECONDS / 1000)
        producer.close()


def _pace(records: int, seconds: float) -> float:
    """Seconds between two records outside of bursts."""
    return seconds / records / (1 - BURST_SHARE + BURST_SHARE / BURST_FACTOR)
