"""One batch of raw records, from bytes to acknowledgement: the only place that knows the order of the steps.

    decode ─▶ classify ─▶ store (one SQL transaction, the ledger in it) ─▶ publish ─▶ the caller acknowledges
      └ malformed ──────────────▶ counted in the ledger ─▶ dead-letter topic

A record ends stored, as a repeat, as a revision, refused (somebody opted out, or it has expired), or dead-lettered.
A dependency that is away is waited for. A batch that fails for its content is split until the guilty record is alone.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from aiokafka.errors import KafkaError

from core.errors import RecordRejected
from core.logs import get_logger
from core.metrics import BATCH_RECORDS, RECORD_TO_ROW_SECONDS, RECORDS, REJECTED, STEP_SECONDS
from core.records import Document, Opinion
from storage.documents import Settled
from streams.classify import ClassifyStep
from streams.dead_letters import DeadLetter, RawRecord
from streams.intake import IntakeLimits, decode
from streams.publish import PublishStep
from streams.retry import Patience
from streams.store import StoreStep, is_content_error

log = get_logger(__name__)
Result = TypeVar("Result")

GUILTY_IN_A_ROW = 16
"""So many records refused one after the other are not bad records but a bug of ours; then the worker leaves."""
TRIES_ALONE = 3
"""A record that fails alone may only have met a passing fault (a device that resets, memory under pressure)."""
TRY_AGAIN_SECONDS = 0.2


class ContentError(Exception):
    """A step cannot take what a record says; `stage` names it."""

    def __init__(self, stage: str, cause: Exception) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}")
        self.stage = stage


@dataclass(frozen=True)
class Prepared:
    """A batch whose opinions are there.

    Attributes:
        records: all of them, in the order of their offsets.
        classified: those that became documents.
        malformed: those that never can.
        refused: why the model could not take the batch; then nothing of it is classified.
    """

    records: Sequence[RawRecord]
    classified: Sequence[tuple[RawRecord, Document, Opinion]]
    malformed: Sequence[DeadLetter]
    refused: ContentError | None = None


class Pipeline:
    """The steps and their order. Batches may be prepared side by side; they are settled one after the other."""

    def __init__(
        self, limits: IntakeLimits, classify: ClassifyStep, store: StoreStep, publish: PublishStep, patience: Patience
    ) -> None:
        self._limits = limits
        self._classify = classify
        self._store = store
        self._publish = publish
        self._patience = patience
        self._guilty_in_a_row = 0
        # One computes while the other tokenises. Each thread that computes gets helpers of its own from OpenMP, which
        # stay with it: asyncio's own pool would make some for every thread it has.
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="classify")

    async def process(self, records: Sequence[RawRecord]) -> None:
        """Prepare and settle a batch."""
        await self.settle(await self.prepare(records))

    async def prepare(self, records: Sequence[RawRecord]) -> Prepared:
        """Decode and classify a batch. Leaves no trace, so it may be done again or in vain."""
        BATCH_RECORDS.observe(len(records))
        return await self._prepare(records)

    async def settle(self, batch: Prepared) -> None:
        """Store and publish a batch; when this returns, its offsets may be acknowledged. One call at a time, in the
        order of the offsets.

        Raises:
            ContentError: so many records in a row were refused that the fault must be ours.
        """
        await self._settle(batch)

    async def _prepare(self, records: Sequence[RawRecord]) -> Prepared:
        documents, malformed = _decode(records, self._limits)
        try:
            with _refusing("classify"):
                opinions = await _in_thread(
                    "classify", lambda: self._classify.run([d for _, d in documents]), self._readers
                )
        except ContentError as error:
            return Prepared(records, [], malformed, error)
        classified = [(record, document, o) for (record, document), o in zip(documents, opinions, strict=True)]
        return Prepared(records, classified, malformed)

    async def _settle(self, batch: Prepared, tries: int = 1) -> None:
        try:
            if batch.refused is not None:
                raise batch.refused
            settled = await self._stored(batch)
        except ContentError as error:
            await self._split(batch.records, error, tries)
            return
        if settled:
            self._guilty_in_a_row = 0
        versions = [result for result in settled if result.published is not None]
        await self._patience.run("publish", _is_broker_away, lambda: self._publish.run(versions, batch.malformed))
        _count(batch.classified, settled, batch.malformed)

    async def _stored(self, batch: Prepared) -> list[Settled]:
        with _refusing("store"):
            return await self._patience.run(
                "store",
                lambda error: not is_content_error(error),
                lambda: _in_thread("store", lambda: self._store.run(batch.records, batch.classified)),
            )

    async def _split(self, records: Sequence[RawRecord], error: ContentError, tries: int) -> None:
        """Halve a batch that failed for its content; a record that keeps failing alone is dead-lettered."""
        if len(records) > 1:
            middle = len(records) // 2
            await self._settle(await self._prepare(records[:middle]))
            await self._settle(await self._prepare(records[middle:]))
            return
        if tries < TRIES_ALONE:
            await asyncio.sleep(TRY_AGAIN_SECONDS)
            await self._settle(await self._prepare(records), tries + 1)
            return
        self._guilty_in_a_row += 1
        if self._guilty_in_a_row >= GUILTY_IN_A_ROW:
            raise error
        letter = DeadLetter(records[0], error.stage, "poisons_its_batch", str(error))
        await self._settle(Prepared(records, [], [letter]))


@contextmanager
def _refusing(step: str) -> Iterator[None]:
    """Whatever a step raises for reasons of its own, and not because a dependency is away, speaks of the content."""
    try:
        yield
    except Exception as error:
        log.warning("batch_refused", step=step, error=type(error).__name__, detail=str(error)[:300])
        raise ContentError(step, error) from error


async def _in_thread(step: str, work: Callable[[], Result], threads: Executor | None = None) -> Result:
    """Run a blocking step off the event loop."""
    with STEP_SECONDS.labels(step).time():
        return await asyncio.get_running_loop().run_in_executor(threads, work)


def _decode(
    records: Sequence[RawRecord], limits: IntakeLimits
) -> tuple[list[tuple[RawRecord, Document]], list[DeadLetter]]:
    documents, malformed = [], []
    with STEP_SECONDS.labels("decode").time():
        for record in records:
            try:
                documents.append((record, decode(record, limits)))
            except RecordRejected as rejected:
                malformed.append(DeadLetter(record, "decode", rejected.reason, rejected.detail))
    return documents, malformed


def _is_broker_away(error: Exception) -> bool:
    return isinstance(error, KafkaError | OSError | asyncio.TimeoutError)


def _count(
    classified: Sequence[tuple[RawRecord, Document, Opinion]],
    settled: Sequence[Settled],
    malformed: Sequence[DeadLetter],
) -> None:
    now = datetime.now(UTC)
    for fate, times in Counter(result.fate for result in settled).items():
        RECORDS.labels(fate).inc(times)
    for (record, _, _), result in zip(classified, settled, strict=True):
        if result.fate not in ("repeat", "refused"):
            RECORD_TO_ROW_SECONDS.observe((now - record.recorded_at).total_seconds())
    for letter in malformed:
        RECORDS.labels("dead_lettered").inc()
        REJECTED.labels(letter.reason).inc()
        log.info("record_dead_lettered", reason=letter.reason, detail=letter.detail, offset=letter.record.offset)
