"""The broker as the console sees it: lag and dead letters."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from kafka.errors import KafkaError
from sqlalchemy import Engine

from core.errors import DependencyNotReadyError
from core.settings import Settings
from opinion.dead_letters import checked_reason, destinations, detail_of, escaped, origin_of, place_of, topic_name
from opinion.servers import kafka_address
from storage import redriven_letters
from storage.redriven_letters import LetterKey
from streams import dead_letter_topic, topics
from streams.dead_letter_topic import DeadLetterTopic, Span, StoredDeadLetter
from streams.offsets import OffsetReader
from streams.redrive import letter_key, redrive
from web.operating import Backlog, Letter, LetterLine, Letters, LetterTopic, PartitionBacklog, Redrive

FRESH_SECONDS: Final = 2.0  # many readers of the page are one reader of the broker
EXAMINED_LETTERS: Final = 2000
SHOWN_LETTERS: Final = 100
SHOWN_DETAIL: Final = 300

_Short = tuple[LetterKey, LetterLine]


class BrokerOperations:
    """See `web.operating.Operations`. May be used by several threads: one at a time asks the broker for the lag.

    The broker is looked up each time: one that is started later is found.
    """

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine
        self._topic = settings.kafka.topic_prefix + topics.RAW
        self._lock = threading.Lock()
        self._reader: OffsetReader | None = None
        self._reader_at = ""
        self._backlog: tuple[float, Backlog] | None = None

    def backlog(self) -> Backlog:
        """As `web.operating.Operations.backlog`."""
        with self._lock:
            if self._backlog is None or time.monotonic() - self._backlog[0] > FRESH_SECONDS:
                self._backlog = None
                self._backlog = (time.monotonic(), self._ask())
            return self._backlog[1]

    def letters(self, topic: LetterTopic, reason: str | None) -> Letters:
        """As `web.operating.Operations.letters`."""
        checked_reason(reason)
        reasons: Counter[str] = Counter()
        newest: list[_Short] = []  # without the bytes, of which each may have megabytes
        examined = 0
        with dead_letter_topic.opened(self._bootstrap(), topic_name(self._settings, topic)) as found:
            spans = found.spans()
            total = sum(span.end - span.start for span in spans.values())
            for letter in found.read(_newest(spans)):
                examined += 1
                reasons[letter.reason[:40]] += 1
                if reason in (None, letter.reason):
                    newest.append(_short(letter))
                    if len(newest) > 2 * SHOWN_LETTERS:
                        newest = _latest(newest)
        shown = _latest(newest)
        with self._engine.connect() as connection:
            done = redriven_letters.known(connection, found.topic, [key for key, _ in shown])
        lines = [replace(line, is_redriven=key in done) for key, line in shown]
        return Letters(lines, dict(reasons.most_common()), examined, total)

    def letter(self, topic: LetterTopic, letter_id: str) -> Letter:
        """As `web.operating.Operations.letter`."""
        place = place_of(letter_id)
        with dead_letter_topic.opened(self._bootstrap(), topic_name(self._settings, topic)) as letters:
            letter = letters.letter(*place)
        with self._engine.connect() as connection:
            done = redriven_letters.known(connection, letters.topic, [letter_key(letter)])
        headers = [(name, escaped(value) or "") for name, value in letter.headers]
        value = letter.value or b""
        key, line = _short(letter)
        return Letter(
            replace(line, is_redriven=key in done), escaped(letter.key), headers, len(value), escaped(value) or ""
        )

    def redrive(self, topic: LetterTopic, *, only: str | None, reason: str | None, most: int) -> Redrive:
        """As `web.operating.Operations.redrive`."""
        checked_reason(reason)
        bootstrap = self._bootstrap()
        with dead_letter_topic.opened(bootstrap, topic_name(self._settings, topic)) as letters:
            result = redrive(
                bootstrap,
                self._engine,
                letters.topic,
                _chosen(letters, only, reason),
                destinations(self._settings, letters),
                most=most,
                is_again=only is not None,
            )
        first = next((f"{name} {why}" for name, why in result.objections.items()), "")
        return Redrive(result.sent, result.already, result.refused, first)

    def close(self) -> None:
        """Let go of the broker."""
        with self._lock:
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    def _bootstrap(self) -> str:
        if (address := kafka_address(self._settings)) is None:
            raise DependencyNotReadyError("no Kafka is configured or running", remedy="opinion up, or opinion doctor")
        return address

    def _ask(self) -> Backlog:
        bootstrap = self._bootstrap()
        if self._reader is None or self._reader_at != bootstrap:
            if self._reader is not None:
                self._reader.close()
            self._reader = OffsetReader(bootstrap, self._settings.group, self._topic)
            self._reader_at = bootstrap
        try:
            standings = self._reader.standings()
        except KafkaError as error:
            raise DependencyNotReadyError(f"Kafka does not answer at {bootstrap}", remedy="opinion doctor") from error
        partitions = [
            PartitionBacklog(number, one.end, one.next_offset, one.lag_records)
            for number, one in sorted(standings.items())
        ]
        return Backlog(self._topic, self._settings.group, partitions)


def _newest(spans: dict[int, Span]) -> dict[int, Span]:
    each = max(1, EXAMINED_LETTERS // max(1, len(spans)))
    return {number: Span(max(span.start, span.end - each), span.end) for number, span in spans.items()}


def _latest(letters: list[_Short]) -> list[_Short]:
    return sorted(letters, key=lambda one: one[0].dead_lettered_at, reverse=True)[:SHOWN_LETTERS]


def _chosen(letters: DeadLetterTopic, only: str | None, reason: str | None) -> Iterator[StoredDeadLetter]:
    if only is not None:
        return iter([letters.letter(*place_of(only))])
    return (letter for letter in letters.read(letters.spans()) if reason in (None, letter.reason))


def _short(letter: StoredDeadLetter) -> _Short:
    line = LetterLine(
        letter.id,
        letter.dead_lettered_at,
        letter.reason[:40],
        origin_of(letter)[:200],
        detail_of(letter)[:SHOWN_DETAIL],
        is_redriven=False,
    )
    return letter_key(letter), line
