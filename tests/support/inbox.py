"""A real HTTP server on loopback that takes what is POSTed and answers as a test wants."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = int | Callable[[BaseHTTPRequestHandler], None]
"""A status, or whatever writes to the handler."""


@dataclass
class Inbox:
    """`answers` are given in their order, then 200; `requests` are the headers and bodies that came."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


def reply(body: bytes = b"", status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """An ordinary answer."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def dripping(stop: threading.Event) -> Answer:
    """A header that never ends: each read succeeds."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while not stop.wait(0.05):
            handler.wfile.write(b"x")

    return answer


def endless(stop: threading.Event) -> Answer:
    """200, and a body that goes on for as long as somebody reads it."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        while not stop.is_set():
            handler.wfile.write(b"x" * 65536)

    return answer


def hanging(stop: threading.Event) -> Answer:
    """Takes the request and says nothing."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        stop.wait(30)

    return answer


@contextmanager
def open_inbox() -> Iterator[Inbox]:
    """Served until the block ends."""
    inbox = Inbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            inbox.requests.append(({k.lower(): v for k, v in self.headers.items()}, body))
            inbox.paths.append(self.path)
            answer = inbox.answers.pop(0) if inbox.answers else 200
            made = (
                reply(status=answer, headers={"Location": f"{inbox.url}elsewhere"})
                if isinstance(answer, int)
                else answer
            )
            assert not isinstance(made, int)
            with suppress(OSError):  # the client has had enough
                made(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        inbox.url = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield inbox
        finally:
            server.shutdown()
            thread.join()
