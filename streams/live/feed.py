"""What a topic's records are to a stream: decoded, named by their `ce_id`, and written as events."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import msgspec

from core.logs import get_logger
from core.records import AlertEvent, ClassifiedDocument

T = TypeVar("T", bound=msgspec.Struct)

# Inside JSON these stand in texts only, where the escape means the same. So nobody who puts the line into a page or
# a script is in danger by what a stranger wrote (https://owasp.org, "JSON in HTML").
_ESCAPES: Final = tuple(
    (character.encode(), b"\\u%04x" % ord(character)) for character in ("<", ">", "&", "\u2028", "\u2029")
)

log = get_logger(__name__)
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True)
class Feed(Generic[T]):
    """One topic as a stream.

    Attributes:
        topic: with its prefix.
        event: the name of its events.
        record: what a value is.
        identity: its `ce_id`, for a record whose writer left out the header.
        screen: blocking; what of these records may be shown again later on, None for what may not. It is asked
            when records are read again from Kafka, which forgets nothing before its time, unlike SQL.
    """

    topic: str
    event: str
    record: type[T]
    identity: Callable[[T], str]
    screen: Callable[[Sequence[T]], Sequence[T | None]]

    def read(self, record: Any) -> tuple[str, T] | None:
        """`ce_id` and value of a Kafka record; None for one that is none of ours."""
        try:
            value = msgspec.json.decode(record.value or b"", type=self.record)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("stream_skips_record", topic=self.topic, offset=record.offset, error=str(error))
            return None
        ce_id = next((given for name, given in record.headers or () if name == "ce_id"), None)
        return ce_id.decode("utf-8", "replace") if ce_id else self.identity(value), value

    def body(self, value: T) -> bytes:
        """The event without its id."""
        return event(self.event, value)


def document_id(document: ClassifiedDocument) -> str:
    """The `ce_id` of this version of a document, as `streams.publish` writes it."""
    return f"{document.id}:{document.revision}"


def delivery_id(event: AlertEvent) -> str:
    """The `ce_id` of an incident's change."""
    return event.delivery_id


def event(name: str, data: object) -> bytes:
    """An event with this JSON as data, without an id."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), safe_json(data))


def id_line(cursor: str) -> bytes:
    """Stands before an event; what a reader sends as `Last-Event-ID` when it comes back."""
    return b"id: %s\n" % cursor.encode()


def safe_json(value: object) -> bytes:
    """One line of JSON, without a character that means something to HTML or JavaScript."""
    written = _encoder.encode(value)
    for character, escape in _ESCAPES:
        if character in written:
            written = written.replace(character, escape)
    return written
