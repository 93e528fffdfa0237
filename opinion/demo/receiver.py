"""Somebody who takes alerts: a webhook receiver on this machine's loopback address."""

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from types import TracebackType
from typing import Any, Self

LONGEST_BODY_BYTES = 1_000_000


class Receiver:
    """A webhook on a free port that keeps what it is sent. Use as a context manager.

    Attributes:
        delivery_ids: how often each delivery was taken.
    """

    def __init__(self, refuse_each: int = 0) -> None:
        """Args:
        refuse_each: every so many requests one is turned away with 503, as by a receiver that is busy; 0: none.
        """
        self._refuse_each = refuse_each
        self._requests = count(1)
        self._bodies: list[dict[str, Any]] = []
        self.delivery_ids: Counter[str] = Counter()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                delivery_id = self.headers.get("X-Opinion-Delivery", "")
                status = receiver._take(self.rfile.read(length), delivery_id) if length <= LONGEST_BODY_BYTES else 413
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """The closing screen tells what arrived."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="receiver", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/alerts"

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What has arrived so far, oldest first."""
        return list(self._bodies)

    def _take(self, body: bytes, delivery_id: str) -> int:
        """The status to answer with."""
        if self._refuse_each and next(self._requests) % self._refuse_each == 0:
            return 503
        try:
            self._bodies.append(json.loads(body))
        except ValueError:
            return 400
        self.delivery_ids[delivery_id] += 1
        return 200

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
