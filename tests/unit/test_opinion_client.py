"""How the client comes back: after breaks, refusals and gaps; without a server."""

import itertools
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import httpx
import msgspec
import pytest

from opinion_client import AsyncConsole, Console, Gap, StreamError
from tests.support.events import document

NO_BROKER = b'{"error":{"status":503,"code":"stream_away","message":"away","remedy":"wait"}}'


def event(number: int, name: str = "document", data: object = None) -> bytes:
    shown = msgspec.json.encode(data if data is not None else document(number))
    return b"id: c%d\nevent: %s\ndata: %s\n\n" % (number, name.encode(), shown)


class Answers:
    """What the console says to one request after the other; remembers where each wanted to go on."""

    def __init__(self, *answers: Callable[[], httpx.Response]) -> None:
        self._answers = iter(answers)
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.headers.get("Last-Event-ID", "") or dict(request.url.params).get("cursor", ""))
        return next(self._answers)()

    async def later(self, request: httpx.Request) -> httpx.Response:
        return self(request)


def stream(*parts: bytes, breaks: bool = False) -> Callable[[], httpx.Response]:
    class Body(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield from parts
            if breaks:
                raise httpx.ReadError("cut off")

        async def __aiter__(self):  # type: ignore[no-untyped-def]
            for part in self:
                yield part

    return lambda: httpx.Response(200, stream=Body())


def away() -> httpx.Response:
    return httpx.Response(503, content=NO_BROKER, headers={"Retry-After": "7"})


def unreachable() -> httpx.Response:
    raise httpx.ConnectError("nobody listens")


def broken_way() -> Answers:
    """Six documents, over as many connections and failures; the fourth comes twice, cut in the middle of a line."""
    return Answers(
        unreachable,
        away,
        stream(event(1), event(2)),
        stream(event(3), event(4)[:40], breaks=True),
        stream(event(4)[:30], event(4)[30:], event(4), event(9, "ping", {"at": "now"})),
        stream(event(5), event(6)),
    )


WAY = ["start", "start", "start", "c2", "c3", "c9"]


def test_it_comes_back_until_it_has_everything(tmp_path: Path) -> None:
    """Each document once and in order; it asks on at the last event that it had whole, waits longer after each
    failure, and as long as it is told to. The next program goes on behind the last document that was done."""
    answers, pauses = broken_way(), list[float]()
    with patch("opinion_client.console.time.sleep", pauses.append):
        console = Console("http://console", transport=httpx.MockTransport(answers))
        reading = console.documents(start="start", cursor_file=tmp_path / "cursor")
        found = [one.id for one in itertools.islice(reading, 6)]
        reading.close()  # type: ignore[attr-defined]
    assert found == [f"forum:{n}" for n in range(1, 7)]
    assert answers.asked == WAY
    assert pauses[0] < 1
    assert pauses[1] >= 7
    assert (tmp_path / "cursor").read_text() == "c5\n"
    again = Answers(stream(event(6)))
    console = Console("http://console", transport=httpx.MockTransport(again))
    next(console.documents(start="start", cursor_file=tmp_path / "cursor"))
    assert again.asked == ["c5"]


async def test_the_asynchronous_one_does_the_same() -> None:
    """Both are the same session over another connection."""
    answers = broken_way()

    async def no_time(_: float) -> None:
        return None

    with patch("opinion_client.async_console.asyncio.sleep", no_time):
        console = AsyncConsole("http://console", transport=httpx.MockTransport(answers.later))
        reading = console.documents(start="start")
        found = [(await anext(reading)).id for _ in range(6)]
        await reading.aclose()  # type: ignore[attr-defined]
    assert found == [f"forum:{n}" for n in range(1, 7)]
    assert answers.asked == WAY


def test_what_waiting_cannot_mend_is_an_error() -> None:
    """A wrong filter or token ends the iteration with what the console says, whoever answers in its place."""
    for status, body, said in (
        (422, b'{"error":{"code":"bad_cursor","message":"not ours","remedy":"start anew"}}', "bad_cursor: not ours"),
        (401, b"<html>who are you?", "who are you"),
        (404, b"[]", "404"),
    ):
        answers = Answers(lambda status=status, body=body: httpx.Response(status, content=body))  # type: ignore[misc]
        with pytest.raises(StreamError, match=said):
            next(Console("http://console", transport=httpx.MockTransport(answers)).documents())


def test_gaps_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """To the program, or to its log; never in silence."""
    gap = event(1, "gap", {"reason": "expired", "lost": 12, "more": "later"})
    told: list[Gap] = []
    for on_gap in (told.append, None):
        answers = Answers(stream(gap, event(2)))
        with caplog.at_level(logging.WARNING, "opinion_client"):
            next(Console("http://console", transport=httpx.MockTransport(answers)).documents(on_gap=on_gap))
    assert told == [Gap("expired", 12)]
    assert "lost=12" in caplog.text
