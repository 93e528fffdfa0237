"""Dead letters as people see them: in short, escaped, and where they may go back to."""

import re
from datetime import UTC, datetime
from typing import Literal

from core.errors import UsageError
from core.metrics import REJECT_REASONS
from core.settings import Settings
from streams import topics
from streams.dead_letter_topic import DeadLetterTopic, StoredDeadLetter
from streams.redrive import Destinations

Topic = Literal["raw", "label"]
SHOWN_BYTES = 4000


def topic_name(settings: Settings, topic: Topic) -> str:
    """The dead-letter topic of documents or of labels."""
    return settings.kafka.topic_prefix + (topics.RAW_DLQ if topic == "raw" else topics.LABEL_DLQ)


def destinations(settings: Settings, letters: DeadLetterTopic) -> Destinations:
    """Where letters may go back to."""
    prefix = settings.kafka.topic_prefix
    return Destinations(
        ours=(prefix + topics.RAW, prefix + topics.LABEL),
        existing=letters.topics(),
        oldest=datetime.now(UTC) - settings.kafka.raw_retention / 2,
    )


def origin_of(letter: StoredDeadLetter) -> str:
    """`topic/partition@offset` of the record."""
    origin = letter.error
    return f"{origin.get('topic')}/{origin.get('partition')}@{origin.get('offset')}"


def detail_of(letter: StoredDeadLetter) -> str:
    """What was wrong, for people."""
    return letter.error.get("exception.message", "")


def escaped(value: bytes | None) -> str | None:
    """Printable ASCII, cut: no control character reaches a terminal or a page."""
    return None if value is None else repr(value[:SHOWN_BYTES])[2:-1] + ("…" if len(value) > SHOWN_BYTES else "")


def checked_reason(reason: str | None) -> None:
    """Raises:
    UsageError: there is no such reason.
    """
    if reason is not None and reason not in REJECT_REASONS:
        raise UsageError(f"no such reason: {reason!r}", remedy=f"one of {', '.join(REJECT_REASONS)}")


def place_of(letter_id: str) -> tuple[int, int]:
    """Partition and offset of an id.

    Raises:
        UsageError: it is none.
    """
    if not (parts := re.fullmatch(r"(\d{1,9}):(\d{1,18})", letter_id, re.ASCII)):
        raise UsageError(f"not PARTITION:OFFSET: {letter_id!r}", remedy="opinion dlq list shows the ids")
    return int(parts[1]), int(parts[2])
