"""How long the console takes to answer."""

import time

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.metrics import REQUEST_SECONDS


class RequestTimer:
    """Observes every request under its route, so that addresses with ids in them stay one series. Of a live stream
    it is the time to the first byte: how long a reader stays says nothing about us."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status, is_stream = 500, False

        def observe() -> None:
            route = getattr(scope.get("route"), "path", "none")
            REQUEST_SECONDS.labels(route, f"{status // 100}xx").observe(time.perf_counter() - began)

        async def note_status(message: Message) -> None:
            nonlocal status, is_stream
            if message["type"] == "http.response.start":
                status = message["status"]
                is_stream = Headers(raw=message["headers"]).get("content-type", "").startswith("text/event-stream")
                if is_stream:
                    observe()
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        finally:
            if not is_stream:
                observe()
