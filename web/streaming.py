"""What `GET /api/v1/stream` works with: where the events come from, and what a reader may ask for."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from core.cursors import MOST_CHARS
from core.records import AlertEvent, AlertStatus, ClassifiedDocument, Kind, Severity
from core.taxonomy import Sentiment
from web.view import Name, Optionally


class Wanted(Protocol):
    """What a reader wants. Equal ones share their work, so it can be compared and has a hash."""

    def matches(self, value: Any) -> bool:
        """Whether it wants this record."""
        ...

    def __hash__(self) -> int: ...


class LiveStream(Protocol):
    """A topic as events for any number of readers. Wired in by whoever builds the console: it speaks to Kafka."""

    @property
    def readers(self) -> int:
        """How many read now."""
        ...

    async def open(
        self, wanted: Wanted, *, cursor: str | None = None, since: datetime | None = None
    ) -> AsyncIterator[bytes]:
        """Whole server-sent events, without end; each has an id that is the cursor after it.

        Args:
            cursor: go on there; "start": with the oldest that there is; None: from now on.
            since: from the first that came then or later. Only without a cursor.

        Raises:
            core.cursors.CursorError: not a cursor of this stream.
            DependencyNotReadyError: it cannot be read now.
        """
        ...

    async def close(self) -> None:
        """The console stops."""
        ...


@dataclass(frozen=True, slots=True)
class Streams:
    """Kept in `app.state.stream`.

    Attributes:
        most_readers: of both together.
    """

    documents: LiveStream
    incidents: LiveStream
    most_readers: int = 1000

    @property
    def is_full(self) -> bool:
        return self.documents.readers + self.incidents.readers >= self.most_readers

    async def close(self) -> None:
        """The console stops."""
        await self.documents.close()
        await self.incidents.close()


class Position(BaseModel):
    """Where a stream begins."""

    model_config = ConfigDict(frozen=True)

    cursor: Annotated[
        str | None,
        Optionally,
        Field(
            max_length=MOST_CHARS,
            description="An event's id: go on after it. `start`: with the oldest there is. `Last-Event-ID` wins.",
        ),
    ] = None
    since: Annotated[
        AwareDatetime | None,
        Optionally,
        Field(description="From the first that came onto the topic then or later; a time with its zone."),
    ] = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "Position":
        if self.cursor is not None and self.since is not None:
            raise ValueError("cursor and since exclude each other")
        return self


class DocumentStream(Position):
    """The query string of the stream of documents; what is absent is open."""

    topic: Name = None
    source: Name = None
    language: Name = None
    watchlist: Annotated[Name, Field(description="Only documents that mention it.")] = None
    sentiment: Annotated[Sentiment | None, Optionally] = None
    kind: Annotated[Kind | None, Optionally] = None

    @property
    def wanted(self) -> "WantedDocuments":
        return WantedDocuments(self.topic, self.source, self.language, self.watchlist, self.sentiment, self.kind)


class IncidentStream(Position):
    """The query string of the stream of incidents; topic, source and watchlist are those of the incident's labels."""

    severity: Annotated[Severity | None, Optionally] = None
    status: Annotated[AlertStatus | None, Optionally] = None
    topic: Name = None
    source: Name = None
    watchlist: Name = None

    @property
    def wanted(self) -> "WantedIncidents":
        return WantedIncidents(self.severity, self.status, self.topic, self.source, self.watchlist)


@dataclass(frozen=True, slots=True)
class WantedDocuments:
    """See `DocumentStream`. `sentiment` is the document's, also with a watchlist, as in the console's lists."""

    topic: str | None = None
    source: str | None = None
    language: str | None = None
    watchlist: str | None = None
    sentiment: Sentiment | None = None
    kind: Kind | None = None

    def matches(self, document: ClassifiedDocument) -> bool:
        return (
            (self.topic is None or document.topic_label == self.topic)
            and (self.source is None or document.source == self.source)
            and (self.language is None or document.lang == self.language)
            and (self.kind is None or document.kind == self.kind)
            and (self.watchlist is None or any(one.watchlist == self.watchlist for one in document.mentions))
            and (self.sentiment is None or document.sentiment == self.sentiment)
        )


@dataclass(frozen=True, slots=True)
class WantedIncidents:
    """See `IncidentStream`."""

    severity: Severity | None = None
    status: AlertStatus | None = None
    topic: str | None = None
    source: str | None = None
    watchlist: str | None = None

    def matches(self, event: AlertEvent) -> bool:
        labels = event.labels
        return (
            (self.severity is None or event.severity == self.severity)
            and (self.status is None or event.status == self.status)
            and (self.topic is None or labels.get("topic") == self.topic)
            and (self.source is None or labels.get("source") == self.source)
            and (self.watchlist is None or labels.get("watchlist") == self.watchlist)
        )
