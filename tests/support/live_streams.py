"""The console's stream as a broker would give it: an app's `/api/v1/stream` that a test feeds by hand."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from storage.documents import DocumentRow
from streams.publish import classified_document


class HandFed:
    """What a test says arrives, at every reader that is connected; it may refuse and hang up.

    Attributes:
        asked: the query string of each connection, in order; `Last-Event-ID` is added as `last`.
    """

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.is_refusing = False
        self._readers: list[tuple[asyncio.AbstractEventLoop, asyncio.Queue[str | None]]] = []
        self._sent = 0

    def serve(self, app: FastAPI) -> None:
        """Answer `/api/v1/stream` before any other route does."""
        app.state.stream = self
        app.router.add_route("/api/v1/stream", self._answer, methods=["GET"])
        app.router.routes.insert(0, app.router.routes.pop())

    @property
    def is_heard(self) -> bool:
        """Whether anybody is connected."""
        return bool(self._readers)

    def send(self, *rows: DocumentRow) -> None:
        """Each as an event with its cursor."""
        for row in rows:
            self._sent += 1
            data = json.dumps(_as_json(row), ensure_ascii=False)
            self._put(f"event: document\nid: {self._sent}\ndata: {data}\n\n")

    def say(self, event: str) -> None:
        """An event without a document."""
        self._put(f"event: {event}\ndata: {{}}\n\n")

    def hang_up(self) -> None:
        """End every connection."""
        self._put(None)
        self._readers.clear()

    def _put(self, what: str | None) -> None:
        for loop, queue in self._readers:
            loop.call_soon_threadsafe(queue.put_nowait, what)

    async def _answer(self, request: Request) -> Response:
        self.asked.append(dict(request.query_params) | {"last": request.headers.get("last-event-id", "")})
        if self.is_refusing:
            return JSONResponse({"error": {"code": "broker"}}, 503)
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        reader = (asyncio.get_running_loop(), queue)
        self._readers.append(reader)

        async def events() -> AsyncIterator[str]:
            yield "retry: 100\n\n"
            try:
                while (event := await queue.get()) is not None:
                    yield event
            finally:
                if reader in self._readers:
                    self._readers.remove(reader)

        return StreamingResponse(events(), media_type="text/event-stream")


def _as_json(row: DocumentRow) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(classified_document(row))
    return found
