"""Putting dead letters back onto the topics they came from, each once.

Which letters were put back is kept in SQL (`storage.redriven_letters`), letter by letter, so that any choice of them
can be put back at any time. A batch is sent, acknowledged by the broker, and only then noted: a crash in between
sends at most `BATCH_LETTERS` of them again, never loses one. The second time has no effect beyond the first: the
worker takes the record for a repeat, or dead-letters it once more. (One transaction of Kafka over records and
offsets would rule this out, but its markers take up offsets of the raw topic, and the ledger would show holes.)
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from sqlalchemy import Engine

from core.errors import DependencyNotReadyError
from storage import redriven_letters
from storage.redriven_letters import LetterKey
from streams import topics
from streams.dead_letter_topic import StoredDeadLetter
from streams.dead_letters import PREFIX
from streams.verbatim import send_verbatim

REDRIVEN_HEADER = "opinion.redriven"
"""On a record that was put back: the dead letter it was last, `topic/partition@offset`."""

BATCH_LETTERS = 200
BATCH_BYTES = 8 * 1024 * 1024  # so that letters of 4 MB do not fill the memory
ACK_SECONDS = 60


@dataclass(frozen=True)
class Destinations:
    """Where letters may go back to.

    Attributes:
        ours: the topics whose dead letters these are.
        existing: every topic of the broker.
        oldest: a record from before gets a new timestamp, lest retention take it away before it is read.
    """

    ours: Collection[str]
    existing: Collection[str]
    oldest: datetime

    def objection(self, letter: StoredDeadLetter) -> str | None:
        """Why a letter cannot go back; None: it can."""
        origin = letter.error.get("topic")
        if origin is None:
            return "does not say from which topic it came"
        if origin not in self.ours:
            return f"came from {origin[:80]!r}, which is none of the topics that are read here"
        return None if origin in self.existing else f"came from {origin!r}, which does not exist any more"

    def timestamp_of(self, letter: StoredDeadLetter) -> int | None:
        """Milliseconds of the record's first timestamp, which stands for an absent `published_at`; None: now.

        A record from the future is put back because its time has come, so it is judged by the time it has now.
        """
        at = letter.recorded_at
        is_kept = at is not None and at >= self.oldest and letter.reason != "published_in_future"
        return round(at.timestamp() * 1000) if at is not None and is_kept else None


@dataclass
class Redriven:
    """What a run did, or in a dry run would do.

    Attributes:
        sent: letters put back; `reasons` counts them by reason.
        already: letters that had been put back before.
        refused: letters that cannot go back; `objections` says why, by id, of the first few.
    """

    sent: int = 0
    already: int = 0
    refused: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    objections: dict[str, str] = field(default_factory=dict)


MOST_OBJECTIONS = 20


def redrive(
    bootstrap: str,
    engine: Engine,
    dead_letter_topic: str,
    letters: Iterable[StoredDeadLetter],
    destinations: Destinations,
    *,
    most: int | None = None,
    is_dry: bool = False,
    is_again: bool = False,
    on_progress: Callable[[int], None] = lambda letters: None,
) -> Redriven:
    """Put letters back. Key, bytes and own headers go untouched; the error headers are dropped. Blocks.

    Args:
        letters: of `dead_letter_topic`, read as they are needed.
        most: stop after so many.
        is_dry: only say what would be done.
        is_again: also those that were put back before.
        on_progress: told of each batch how many letters it looked at.

    Raises:
        DependencyNotReadyError: the broker does not take the records; those that it took are remembered.
        GateRefusedError: another redrive is running.
    """
    run = _Run(engine, dead_letter_topic, destinations, is_again=is_again)
    with redriven_letters.one_at_a_time(engine):
        batches = _batches(letters)
        if is_dry:
            for batch in batches:
                run.sent(run.choose(batch, most))
                on_progress(len(batch))
                if run.is_full(most):
                    break
        else:
            asyncio.run(run.send(bootstrap, batches, most, on_progress))
    return run.result


class _Run:
    def __init__(self, engine: Engine, topic: str, destinations: Destinations, *, is_again: bool) -> None:
        self._engine = engine
        self._topic = topic
        self._destinations = destinations
        self._is_again = is_again
        self.result = Redriven()

    async def send(
        self,
        bootstrap: str,
        batches: Iterator[list[StoredDeadLetter]],
        most: int | None,
        on_progress: Callable[[int], None],
    ) -> None:
        try:
            async with AIOKafkaProducer(
                bootstrap_servers=bootstrap,
                enable_idempotence=True,
                max_request_size=topics.RAW_MAX_BYTES + 64 * 1024,
            ) as producer:
                while not self.is_full(most) and (batch := await asyncio.to_thread(next, batches, None)):
                    chosen = await asyncio.to_thread(self.choose, batch, most)
                    sent = [await self._send(producer, letter) for letter in chosen]
                    await asyncio.wait_for(asyncio.gather(*sent), ACK_SECONDS)
                    await asyncio.to_thread(self._remember, chosen)
                    self.sent(chosen)
                    on_progress(len(batch))
        except (KafkaError, TimeoutError) as error:
            raise DependencyNotReadyError(
                f"after {self.result.sent} letters the broker took no more: {error!r}",
                remedy="`opinion doctor`; the next redrive goes on from here",
            ) from error

    def is_full(self, most: int | None) -> bool:
        return most is not None and self.result.sent >= most

    def choose(self, batch: Sequence[StoredDeadLetter], most: int | None) -> list[StoredDeadLetter]:
        """The letters of a batch that go back; what becomes of the others is counted."""
        with self._engine.connect() as connection:
            done = redriven_letters.known(connection, self._topic, [letter_key(letter) for letter in batch])
        chosen: list[StoredDeadLetter] = []
        for letter in batch:
            if most is not None and self.result.sent + len(chosen) >= most:
                break
            if objection := self._destinations.objection(letter):
                self.result.refused += 1
                if len(self.result.objections) < MOST_OBJECTIONS:
                    self.result.objections[letter.id] = objection
            elif letter_key(letter) in done and not self._is_again:
                self.result.already += 1
            else:
                chosen.append(letter)
        return chosen

    def sent(self, letters: Sequence[StoredDeadLetter]) -> None:
        self.result.sent += len(letters)
        self.result.reasons.update(letter.reason for letter in letters)

    async def _send(self, producer: AIOKafkaProducer, letter: StoredDeadLetter) -> Awaitable[object]:
        dropped = (PREFIX, REDRIVEN_HEADER)
        own = [(name, value) for name, value in letter.headers if not name.startswith(dropped)]
        mark = f"{self._topic}/{letter.partition}@{letter.offset}".encode()
        return await send_verbatim(
            producer,
            letter.error["topic"],
            letter.key,
            letter.value,
            [*own, (REDRIVEN_HEADER, mark)],
            timestamp_ms=self._destinations.timestamp_of(letter),
        )

    def _remember(self, letters: Sequence[StoredDeadLetter]) -> None:
        with self._engine.begin() as connection:
            redriven_letters.remember(connection, self._topic, [letter_key(letter) for letter in letters])


def letter_key(letter: StoredDeadLetter) -> LetterKey:
    """By which SQL knows it."""
    return LetterKey(letter.partition, letter.offset, letter.dead_lettered_at)


def _batches(letters: Iterable[StoredDeadLetter]) -> Iterator[list[StoredDeadLetter]]:
    """Never empty ones."""
    batch: list[StoredDeadLetter] = []
    size = 0
    for letter in letters:
        batch.append(letter)
        size += len(letter.value or b"")
        if len(batch) >= BATCH_LETTERS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
