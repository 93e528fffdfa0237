"""The dead-letter record: untouched key, bytes and headers, plus Kafka Connect's error headers.

Header names as in Kafka Connect's `DeadLetterQueueReporter` (KIP-298), so that its tools read ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

Headers = Sequence[tuple[str, bytes]]

PREFIX = "__connect.errors."
NO_TIME = datetime(1970, 1, 1, tzinfo=UTC) - timedelta(milliseconds=1)
"""Kafka's own -1: the record has no timestamp."""


def record_time(seconds: float) -> datetime:
    """A record's timestamp, aware UTC. One that no calendar holds (crawlers write microseconds for milliseconds)
    is `NO_TIME`; it must not stop the reader."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return NO_TIME


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One Kafka message, as it came. `recorded_at` is its timestamp (`record_time`)."""

    topic: str
    partition: int
    offset: int
    recorded_at: datetime
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that can never be stored, and why.

    Attributes:
        stage: the step that gave up.
        reason: one of `core.metrics.REJECT_REASONS`.
        detail: for people; names the field and the cause.
    """

    record: RawRecord
    stage: str
    reason: str
    detail: str

    def headers(self) -> list[tuple[str, bytes]]:
        """What goes on the dead-letter record."""
        return error_headers(
            self.record.headers,
            topic=self.record.topic,
            partition=self.record.partition,
            offset=self.record.offset,
            recorded_at=self.record.recorded_at,
            stage=self.stage,
            reason=self.reason,
            detail=self.detail,
        )


def error_headers(
    original: Headers,
    *,
    topic: str,
    partition: int,
    offset: int,
    recorded_at: datetime,
    stage: str,
    reason: str,
    detail: str,
) -> list[tuple[str, bytes]]:
    """The headers of a dead letter.

    Args:
        original: the record's own headers, kept as they are. Error headers of an earlier round (a re-driven
            record that failed again) are replaced.
        stage: the step that gave up; reason: one of `core.metrics.REJECT_REASONS`; detail: for people.
    """
    kept = [(name, value) for name, value in original if not name.startswith(PREFIX)]
    facts = {
        "topic": topic,
        "partition": str(partition),
        "offset": str(offset),
        "timestamp": str(round(recorded_at.timestamp() * 1000)),  # ours; Kafka Connect leaves it out
        "stage": stage,
        "exception.class.name": reason,
        "exception.message": detail[:1000],
    }
    return [*kept, *((PREFIX + name, value.encode("utf-8", "replace")) for name, value in facts.items())]


def read_error_headers(headers: Headers) -> dict[str, str]:
    """The error facts of a dead letter, without the prefix."""
    return {
        name.removeprefix(PREFIX): (value or b"").decode("utf-8", "replace")  # Kafka's header values may be null
        for name, value in headers
        if name.startswith(PREFIX)
    }
