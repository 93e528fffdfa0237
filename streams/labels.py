"""`opinion.label.v1` into `human_label`: answers of other labelling tools, each stored once in effect."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError as ProducerError
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from sqlalchemy import Engine

from core.errors import DependencyNotReadyError, RecordRejected
from core.logs import get_logger
from core.metrics import LABELS
from core.records import Label
from core.taxonomy import CLASSES
from storage import human_labels, opt_outs, people_verdicts
from storage.human_labels import Statement
from streams.dead_letters import DeadLetter, RawRecord, record_time
from streams.intake import clean_text
from streams.json_values import parse_json
from streams.language import detect_lang
from streams.verbatim import send_verbatim

GROUP: Final = "opinion-labels"
STAGE: Final = "label"
MAX_TEXT_CHARS: Final = 50_000
MAX_NAME_CHARS: Final = 512
MAX_SECONDS: Final = timedelta(days=1).total_seconds()  # nobody thinks longer about a text
MAX_FUTURE: Final = timedelta(hours=24)  # an answer from the far future would win over every later one
POLL_MILLISECONDS: Final = 1000
BATCH_RECORDS: Final = 500
GIVE_UP_POLLS: Final = 10  # without any record; the next run tries again
ACK_SECONDS: Final = 30
LARGEST_REQUEST: Final = 2 * 1024 * 1024  # the largest label record and its error headers

log = get_logger(__name__)


@dataclass(frozen=True)
class Taken:
    """What one run of the job took from the topic; the fields are the fates of `core.metrics.LABELS`."""

    stored: int = 0
    repeat: int = 0
    dead_lettered: int = 0

    def __add__(self, other: "Taken") -> "Taken":
        return Taken(self.stored + other.stored, self.repeat + other.repeat, self.dead_lettered + other.dead_lettered)


def decode(record: RawRecord) -> Statement:
    """The answer that a record states; its timestamp stands for a `labelled_at` that is absent.

    Raises:
        RecordRejected: the record can never be stored.
    """
    if not record.value:
        raise RecordRejected("empty_value", "the record has no value")
    label = parse_json(record.value, Label)
    said = check(label, record.recorded_at)._replace(intake="topic")
    return said if said.labelled_at else said._replace(labelled_at=record.recorded_at)


def check(label: Label, now: datetime) -> Statement:
    """The label as a statement; the same rules hold for a record and for a line of a file.

    Raises:
        RecordRejected: an unknown class, neither text nor document, an impossible time or duration, a field too
            long.
    """
    if label.answer not in CLASSES[label.head]:
        raise RecordRejected("bad_record", f"{label.head}: {label.answer[:40]!r} is not one of its classes")
    text, document_id = clean_text(label.text or ""), clean_text(label.document_id or "")
    if not text and not document_id:
        raise RecordRejected("empty_text", "neither a text nor a document id")
    if len(text) > MAX_TEXT_CHARS:
        raise RecordRejected("too_large", f"text has {len(text)} characters, at most {MAX_TEXT_CHARS} are taken")
    names = {name: clean_text(getattr(label, name) or "") for name in ("lang", "source", "annotator", "guideline")}
    for name, value in (*names.items(), ("document_id", document_id)):
        if len(value) > MAX_NAME_CHARS:
            raise RecordRejected("bad_record", f"{name}: {len(value)} characters, at most {MAX_NAME_CHARS} are taken")
    if label.seconds is not None and not 0 <= label.seconds <= MAX_SECONDS:
        raise RecordRejected("bad_record", f"seconds: {label.seconds:g} is not from 0 to {MAX_SECONDS:g}")
    labelled_at = label.labelled_at
    if labelled_at is not None:
        try:
            labelled_at = labelled_at.astimezone(UTC) if labelled_at.tzinfo else labelled_at.replace(tzinfo=UTC)
        except OverflowError as error:  # the first or last day of the calendar, elsewhere
            raise RecordRejected("bad_record", f"labelled_at: {error}") from error
        if labelled_at > now + MAX_FUTURE:
            raise RecordRejected("bad_record", f"labelled_at: {labelled_at.isoformat()} is in the future")
    return Statement(
        label.head,
        label.answer,
        document_id or None,
        text or None,
        names["lang"] or detect_lang(text),
        names["source"] or "unknown",
        names["annotator"] or "unknown",
        labelled_at,
        guideline=names["guideline"],
        seconds=label.seconds,
        is_adjudication=label.is_adjudication,
    )


def take_labels(
    bootstrap: str, engine: Engine, *, topic: str, dead_letter_topic: str, should_stop: Callable[[], bool]
) -> Taken:
    """Store what has arrived on the label topic; the scheduler's `labels` job.

    Offsets are committed after the SQL commit and after dead letters are acknowledged, so a failure at any point
    leads to labels that come again, which has no effect. The partitions are assigned, not subscribed to: only
    the scheduler with the lease reads, and a group member that stands by would keep them from it.

    Raises:
        DependencyNotReadyError: Kafka does not answer. What PostgreSQL raises is passed on.
    """
    addresses = bootstrap.split(",")
    taken = Taken()
    try:
        consumer = KafkaConsumer(
            bootstrap_servers=addresses,
            group_id=GROUP,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            isolation_level="read_committed",
            bootstrap_timeout_ms=5_000,
        )
        try:
            for records in _arrived(consumer, topic, should_stop):
                taken = taken + _take(addresses, engine, records, dead_letter_topic)
                consumer.commit()
        finally:
            consumer.close(autocommit=False, timeout_ms=2000)
    except (KafkaError, ProducerError, TimeoutError) as error:
        raise DependencyNotReadyError(
            f"labels of {topic} cannot be taken: {error}", remedy="opinion doctor"
        ) from error
    return taken


def _arrived(consumer: KafkaConsumer, topic: str, should_stop: Callable[[], bool]) -> Iterator[list[RawRecord]]:
    """What lies between the committed and the present end offsets, in batches."""
    partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
    consumer.assign(partitions)
    ends = consumer.end_offsets(partitions) if partitions else {}
    silent = 0
    while silent < GIVE_UP_POLLS and not should_stop():
        if all(consumer.position(partition) >= ends[partition] for partition in partitions):
            return
        batches = consumer.poll(timeout_ms=POLL_MILLISECONDS, max_records=BATCH_RECORDS)
        silent = 0 if batches else silent + 1
        if batches:
            yield [_raw_record(message) for batch in batches.values() for message in batch]


def _take(addresses: list[str], engine: Engine, records: Sequence[RawRecord], dead_letter_topic: str) -> Taken:
    """Settle one batch: stored, or on the dead-letter topic."""
    good: list[tuple[RawRecord, Statement]] = []
    bad: list[DeadLetter] = []
    for record in records:
        try:
            good.append((record, decode(record)))
        except RecordRejected as rejected:
            bad.append(DeadLetter(record, STAGE, rejected.reason, rejected.detail))
    stored, kept = _store(engine, good, bad)
    if bad:
        asyncio.run(_publish_dead(addresses, bad, dead_letter_topic))
    taken = Taken(stored, kept - stored, len(bad))
    for fate, count in asdict(taken).items():
        LABELS.labels(fate).inc(count)
    log.info("labels_taken", **asdict(taken))
    return taken


def _store(engine: Engine, good: Sequence[tuple[RawRecord, Statement]], bad: list[DeadLetter]) -> tuple[int, int]:
    """One transaction. Answers about documents that nobody knows join `bad`; those about erased ones have no effect,
    as repeats. Returns (new, all) answers that are no dead letters."""
    with engine.begin() as connection:
        known = human_labels.documents_by_id(connection, [said.document_id for _, said in good if said.document_id])
        barred = opt_outs.barred_ids(connection, {said.document_id for _, said in good if said.document_id})
        labels, refused = [], 0
        for record, said in good:
            if said.document_id in barred:
                continue  # no dead letter either: that would keep its text for ever
            document = known.get(said.document_id or "")
            if document is None and said.text is None:
                detail = f"document_id: there is no stored document {said.document_id!r}, and no text"
                bad.append(DeadLetter(record, STAGE, "bad_record", detail))
                refused += 1
            else:
                labels.append(human_labels.linked(said, document, now=record.recorded_at))
        return people_verdicts.record(connection, labels), len(good) - refused


async def _publish_dead(addresses: list[str], letters: Sequence[DeadLetter], topic: str) -> None:
    async with AIOKafkaProducer(
        bootstrap_servers=addresses, enable_idempotence=True, max_request_size=LARGEST_REQUEST
    ) as producer:
        sent = [
            await send_verbatim(producer, topic, letter.record.key, letter.record.value, letter.headers())
            for letter in letters
        ]
        await asyncio.wait_for(asyncio.gather(*sent), ACK_SECONDS)


def _raw_record(message: Any) -> RawRecord:
    return RawRecord(
        message.topic,
        message.partition,
        message.offset,
        record_time(message.timestamp / 1000),
        message.key,
        message.value,
        tuple(message.headers),
    )
