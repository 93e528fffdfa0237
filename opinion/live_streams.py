"""The console's live streams: which topics, and what of older records may be shown again."""

from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from core.clock import SystemClock
from core.errors import DependencyNotReadyError
from core.records import AlertEvent, ClassifiedDocument
from core.settings import Settings
from opinion.servers import kafka_address
from storage import erasure
from streams import topics
from streams.live.feed import Feed, delivery_id, document_id
from streams.live.hub import Bounds, Hub
from web.streaming import Streams


def live_streams(settings: Settings, engine: Engine) -> Streams:
    """Both streams, of the broker that is configured or running by then; opens nothing."""
    prefix = settings.kafka.topic_prefix
    return streams_of(
        lambda: kafka_address(settings),
        engine,
        classified=prefix + topics.CLASSIFIED,
        alerts=prefix + topics.ALERT,
        bounds=Bounds(ping_seconds=settings.stream.ping_seconds, side_readers=settings.stream.side_readers),
        most_readers=settings.stream.most_readers,
    )


def streams_of(
    bootstrap: Callable[[], str | None],
    engine: Engine,
    *,
    classified: str,
    alerts: str,
    bounds: Bounds,
    most_readers: int = 1000,
) -> Streams:
    """Both streams of these topics."""
    documents = Feed(classified, "document", ClassifiedDocument, document_id, StoredDocuments(engine))
    incidents = Feed(alerts, "incident", AlertEvent, delivery_id, WithoutErased(engine))
    clock = SystemClock()
    return Streams(Hub(bootstrap, documents, clock, bounds), Hub(bootstrap, incidents, clock, bounds), most_readers)


class StoredDocuments:
    """Leaves out documents that SQL no longer has: Kafka keeps what was erased until its retention ends."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __call__(self, documents: Sequence[ClassifiedDocument]) -> list[ClassifiedDocument | None]:
        """Blocks. Raises DependencyNotReadyError when the database does not answer: then nothing is shown."""
        stored = _stored(self._engine, {document.id for document in documents})
        return [document if document.id in stored else None for document in documents]


class WithoutErased:
    """Takes documents that SQL no longer has out of what incidents tell; an incident itself is never left out."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __call__(self, events: Sequence[AlertEvent]) -> list[AlertEvent | None]:
        """As `StoredDocuments`."""
        named = {str(one["id"]) for event in events for one in erasure.named(event.evidence) if one.get("id")}
        gone = named - _stored(self._engine, named)
        return [_without(event, gone) for event in events]


def _stored(engine: Engine, ids: set[str]) -> set[str]:
    if not ids:
        return set()
    try:
        with engine.connect() as connection:
            return erasure.stored(connection, ids)
    except SQLAlchemyError as error:
        raise DependencyNotReadyError(
            f"PostgreSQL does not say what is still stored: {error}", remedy="opinion doctor"
        ) from error


def _without(event: AlertEvent, gone: set[str]) -> AlertEvent:
    if not any(one.get("id") in gone for one in erasure.named(event.evidence)):
        return event
    body = msgspec.to_builtins(event)
    return msgspec.convert(
        erasure.without_documents(body, gone, erasure.quoted(event.evidence, gone)), type=AlertEvent
    )
