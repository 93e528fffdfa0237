"""`/healthz`, `/readyz` and `/metrics` for processes that serve no other HTTP."""

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

ReadyCheck = Callable[[], str | None]
"""Returns None when ready, else the reason in one sentence. Must not block for more than a second."""


def readiness(checks: Mapping[str, ReadyCheck]) -> dict[str, str]:
    """The reasons why this process is not ready, by check; empty when it is."""
    return {name: reason for name, check in checks.items() if (reason := check()) is not None}


class ProbeServer:
    """A daemon thread with its own socket, so that it answers while the event loop is busy."""

    def __init__(self, host: str, port: int, checks: Mapping[str, ReadyCheck]) -> None:
        """Binds at once (port 0 picks a free one; see `port`); raises OSError when the port is taken."""

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/healthz":
                    self._answer(200, "application/json", b'{"status":"alive"}')
                elif self.path == "/readyz":
                    reasons = readiness(checks)
                    body = json.dumps({"status": "waiting" if reasons else "ready", "reasons": reasons})
                    self._answer(503 if reasons else 200, "application/json", body.encode())
                elif self.path == "/metrics":
                    self._answer(200, CONTENT_TYPE_LATEST, generate_latest())
                else:
                    self._answer(404, "application/json", b'{"error":"not found"}')

            def _answer(self, status: int, content_type: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Probes come every few seconds; they are not worth a line."""

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="probes", daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
