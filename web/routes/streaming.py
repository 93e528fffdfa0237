"""`GET /api/v1/stream`: classified documents and incidents as they come, as server-sent events.

The form is that of https://html.spec.whatwg.org/#server-sent-events, so a browser's `EventSource` reads it, and comes
back with `Last-Event-ID` after a break. docs/how-to/consume-the-stream.md says what is promised.
"""

from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any

from anyio import move_on_after
from fastapi import APIRouter, Query, Request
from sse_starlette.sse import EventSourceResponse, SendTimeoutError
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from core.cursors import CursorError
from core.errors import DependencyNotReadyError
from web.errors import ErrorAnswer
from web.problems import Problem, ProblemError
from web.streaming import DocumentStream, IncidentStream, LiveStream, Position, Streams, Wanted

AWAY_SECONDS = 5  # so soon a reader that met no broker may ask again
FULL_SECONDS = 30
LAST_WORD_SECONDS = 1.0
STUCK_SECONDS = 60.0  # a connection that takes no byte for so long is given up: its reader goes on at its cursor

RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "Events, without end."},
    422: {"model": ErrorAnswer, "description": "A filter or the cursor cannot be used."},
    503: {
        "model": ErrorAnswer,
        "description": "Kafka is away, or too many read; ask again later.",
        "headers": {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}},
    },
}

router = APIRouter(prefix="/api/v1", tags=["streams"], responses=RESPONSES)


class Events(EventSourceResponse):
    """Bytes of whole events. Pings are among them, because each holds the cursor of what was sent before it."""

    def __init__(self, content: Any) -> None:
        super().__init__(content, ping=0, send_timeout=STUCK_SECONDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_ended = False

        async def noting(message: Message) -> None:
            nonlocal is_ended
            is_ended = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        with suppress(SendTimeoutError):
            await super().__call__(scope, receive, noting)
        if not is_ended:  # the console stops, or the reader is stuck or gone: end the answer, if that can be told
            with move_on_after(LAST_WORD_SECONDS):
                await send({"type": "http.response.body", "body": b"", "more_body": False})


@router.get("/stream", response_class=EventSourceResponse)
async def documents(request: Request, view: Annotated[DocumentStream, Query()]) -> Response:
    """Classified documents: `event: document` with the record of `opinion.document.classified.v1` as data.

    `event: ping` says that nothing was left out; `event: gap` that something is no longer there to be read.
    """
    streams = _streams(request)
    return await _events(request, streams.documents, view.wanted, view)


@router.get("/stream/incidents", response_class=EventSourceResponse)
async def incidents(request: Request, view: Annotated[IncidentStream, Query()]) -> Response:
    """Changes of incidents: `event: incident` with the record of `opinion.alert.v1` as data."""
    streams = _streams(request)
    return await _events(request, streams.incidents, view.wanted, view)


def _streams(request: Request) -> Streams:
    streams: Streams | None = request.app.state.stream
    if streams is None:
        raise ProblemError(Problem(503, "no_stream", retry_after_seconds=FULL_SECONDS))
    if streams.is_full:
        raise ProblemError(Problem(503, "stream_full", retry_after_seconds=FULL_SECONDS))
    return streams


async def _events(request: Request, stream: LiveStream, wanted: Wanted, position: Position) -> Response:
    last: str | None = request.headers.get("last-event-id") or None
    cursor, since = (last, None) if last else (position.cursor, position.since)
    return Events(await _opened(stream, wanted, cursor, since))


async def _opened(stream: LiveStream, wanted: Wanted, cursor: str | None, since: datetime | None) -> Any:
    try:
        return await stream.open(wanted, cursor=cursor, since=since)
    except CursorError as error:
        raise ProblemError(Problem(422, "bad_cursor", str(error))) from error
    except DependencyNotReadyError as error:
        raise ProblemError(Problem(503, "stream_away", error.message, retry_after_seconds=AWAY_SECONDS)) from error
