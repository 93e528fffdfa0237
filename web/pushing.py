"""What `POST /api/v1/documents` works with: where documents go, how much it takes, and how much at once."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from core.errors import RecordRejected
from core.metrics import PUSH_IN_FLIGHT
from web.problems import Problem, ProblemError

BUSY_SECONDS = 1  # a request that was turned away may be sent again so soon


class DocumentSink(Protocol):
    """Where pushed documents go. Wired in by whoever builds the console, because it speaks to Kafka."""

    async def accept(self, values: Sequence[bytes]) -> Sequence[str | RecordRejected]:
        """Keep the valid ones of these JSON documents; returns within a bounded time.

        Returns:
            For each, in order: the id under which it is kept for good, or why it never can be.

        Raises:
            DependencyNotReadyError: not all could be kept now; the whole call may be made again.
        """
        ...

    async def close(self) -> None:
        """The console stops."""
        ...


@dataclass(frozen=True, slots=True)
class PushLimits:
    """See `core.settings.PushSettings`."""

    max_body_bytes: int
    max_documents: int
    in_flight_bytes: int


class InFlight:
    """The bytes of all bodies being worked on; what would not fit is turned away. Of any thread."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._lock = threading.Lock()
        self._held = 0

    @contextmanager
    def hold(self) -> Iterator["Held"]:
        """Room that grows while the block lasts and is given back at its end."""
        held = Held(self)
        try:
            yield held
        finally:
            self.add(-held.size)

    def add(self, size: int) -> None:
        """Raises ProblemError (429) when there is no room."""
        with self._lock:
            if size > 0 and self._held + size > self._limit:
                raise ProblemError(Problem(429, "busy", retry_after_seconds=BUSY_SECONDS))
            self._held += size
            PUSH_IN_FLIGHT.set(self._held)


class Held:
    """One request's part of what is in flight."""

    def __init__(self, room: InFlight) -> None:
        self._room = room
        self.size = 0

    def grow(self, size: int) -> None:
        """Raises ProblemError (429) when there is no room."""
        self._room.add(size)
        self.size += size


@dataclass(frozen=True, slots=True)
class Pushing:
    """Kept in `app.state.pushing`."""

    sink: DocumentSink
    limits: PushLimits
    in_flight: InFlight

    @classmethod
    def to(cls, sink: DocumentSink, limits: PushLimits) -> "Pushing":
        return cls(sink, limits, InFlight(limits.in_flight_bytes))
