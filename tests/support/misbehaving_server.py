"""An HTTP server on loopback that does whatever a test wants, byte by byte."""

import gzip
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_network

from streams.sources.fetching import FetchOptions

LOOPBACK = ip_network("127.0.0.1/32")
QUICK = FetchOptions(
    connect_seconds=2,
    read_seconds=1,
    total_seconds=2,
    max_bytes=200_000,
    host_interval_seconds=0,
    allowed_networks=(LOOPBACK,),
)
"""For tests: reaches 127.0.0.1 and nothing else of the private network."""


@dataclass(frozen=True)
class Request:
    path: str
    headers: Mapping[str, str]


Answer = Callable[[Request, socket.socket], None]


@dataclass
class Site:
    """What stands at each path, and who asked. Paths that are not there answer 404."""

    port: int = 0
    pages: dict[str, Answer] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def paths(self) -> list[str]:
        """Asked for, in order, robots.txt left out."""
        return [request.path for request in self.requests if request.path != "/robots.txt"]


def page(body: bytes | str, content_type: str = "application/rss+xml", status: int = 200, **headers: str) -> Answer:
    """An ordinary answer; `etag="x"` becomes a header."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} -", f"Content-Length: {len(content)}", "Connection: close"]
    if content_type:
        lines.append(f"Content-Type: {content_type}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return raw(("\r\n".join(lines) + "\r\n\r\n").encode() + content)


def redirect(location: str, status: int = 302) -> Answer:
    return page("", "", status, location=location)


def packed(body: bytes, content_type: str = "application/rss+xml") -> Answer:
    return page(gzip.compress(body), content_type, content_encoding="gzip")


def raw(content: bytes) -> Answer:
    """These bytes, and the connection ends."""

    def answer(_: Request, wire: socket.socket) -> None:
        wire.sendall(content)

    return answer


def cut_off(content: bytes) -> Answer:
    """Promises more than it sends, then resets the connection."""

    def answer(_: Request, wire: socket.socket) -> None:
        wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 9999\r\n\r\n" + content)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    return answer


def dripping(stop: threading.Event, head: bytes = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n") -> Answer:
    """One byte every 50 ms, for ever: each read succeeds, the whole never ends."""

    def answer(_: Request, wire: socket.socket) -> None:
        wire.sendall(head)
        while not stop.wait(0.05):
            wire.sendall(b"x")

    return answer


def endless(stop: threading.Event, chunk: bytes) -> Answer:
    """As much as is taken."""

    def answer(_: Request, wire: socket.socket) -> None:
        wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n")
        while not stop.is_set():
            wire.sendall(chunk)

    return answer


def conditional(body: bytes | str, etag: str) -> Answer:
    """304 to those who have this version."""
    whole, unchanged = page(body, etag=etag), page("", "", 304, etag=etag)

    def answer(request: Request, wire: socket.socket) -> None:
        (unchanged if request.headers.get("if-none-match") == etag else whole)(request, wire)

    return answer


def rss(*items: str, head: str = "") -> str:
    return (
        f'<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>t</title>{head}'
        f"{''.join(items)}</channel></rss>"
    )


def item(number: int, title: str | None = None, **fields: str) -> str:
    """An entry with a guid and a link of its own."""
    parts = {
        "title": title or f"headline {number}",
        "guid": f"https://example.com/{number}",
        "link": f"https://example.com/{number}",
    }
    parts |= fields
    return "<item>" + "".join(f"<{name}>{value}</{name}>" for name, value in parts.items() if value) + "</item>"


@contextmanager
def serving_site(host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Iterator[Site]:
    """A server with no page yet. `Site.pages` may be changed at any time."""
    site = Site()

    class Handler(socketserver.BaseRequestHandler):
        def setup(self) -> None:
            if tls is not None:
                self.request = tls.wrap_socket(self.request, server_side=True, do_handshake_on_connect=False)

        def handle(self) -> None:
            with suppress(OSError):  # the client has had enough
                self.answer()

        def finish(self) -> None:
            self.request.close()  # the server knows only the socket beneath TLS

        def answer(self) -> None:
            received = b""
            while b"\r\n\r\n" not in received:
                if not (more := self.request.recv(65536)):
                    return
                received += more
            first, *lines = received.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            request = Request(first.split(" ")[1], headers)
            site.requests.append(request)
            site.pages.get(request.path, page("", "", 404))(request, self.request)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        request_queue_size = 256

    with Server((host, 0), Handler) as server:
        site.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join(5)
