"""Both ends of a run: the crawler that produces the stream, with bursts, and the subscriber that hears of alerts."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from types import TracebackType
from typing import Any, Self

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


class Subscriber:
    """A webhook that counts the deliveries it has taken, by id; it turns away every tenth, to be sent again."""

    def __init__(self) -> None:
        self.received: Counter[str] = Counter()
        self._requests = 0
        self._lock = threading.Lock()
        subscriber = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(subscriber._take(self.headers["X-Opinion-Delivery"]))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """The verdict tells what arrived."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="subscriber", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def _take(self, delivery_id: str) -> int:
        with self._lock:
            self._requests += 1
            if self._requests % 10 == 0:
                return 503
            self.received[delivery_id] += 1
            return 200

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
