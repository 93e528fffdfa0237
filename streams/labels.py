"""`opinion.label.v1` into `human_label`: answers of other labelling tools, each stored once in effect."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError
from sqlalchemy import Engine

from core.errors import DependencyNotReadyError, RecordRejected
from core.logs import get_logger
from core.metrics import LABELS
from core.records import Label
from core.taxonomy import CLASSES
from storage import human_labels
from storage.human_labels import Statement
from streams.dead_letters import DeadLetter, RawRecord
from streams.intake import clean_text, detect_lang

GROUP: Final = "opinion-labels"
STAGE: Final = "label"
MAX_TEXT_CHARS: Final = 50_000
MAX_NAME_CHARS: Final = 512
MAX_FUTURE: Final = timedelta(hours=24)  # an answer from the far future would win over every later one
POLL_MILLISECONDS: Final = 1000
BATCH_RECORDS: Final = 500
ACK_SECONDS: Final = 30

log = get_logger(__name__)
_decoder = msgspec.json.Decoder(Label)


@dataclass(frozen=True)
class Taken:
    """What one run of the job took from the topic."""

    stored: int = 0
    repeats: int = 0
    dead_lettered: int = 0


def decode(record: RawRecord) -> Statement:
    """The answer that a record states; its timestamp stands for a `labelled_at` that is absent.

    Raises:
        RecordRejected: the record can never be stored.
    """
    if not record.value:
        raise RecordRejected("empty_value", "the record has no value")
    try:
        label = _decoder.decode(record.value)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise unreadable(error) from error
    said = check(label, record.recorded_at)
    return said if said.labelled_at else said._replace(labelled_at=record.recorded_at)


def unreadable(error: Exception) -> RecordRejected:
    """Why msgspec could not read a value."""
    if isinstance(error, UnicodeError) or "utf-8" in str(error).lower():
        return RecordRejected("bad_encoding", f"not UTF-8: {error}")
    return RecordRejected("bad_record" if isinstance(error, msgspec.ValidationError) else "bad_json", str(error))


def check(label: Label, now: datetime) -> Statement:
    """The label as a statement; the same rules hold for a record and for a line of a file.

    Raises:
        RecordRejected: an unknown class, neither text nor document, an impossible time, a field too long.
    """
    if label.answer not in CLASSES[label.head]:
        raise RecordRejected("bad_record", f"{label.head}: {label.answer[:40]!r} is not one of its classes")
    text, document_id = clean_text(label.text or ""), clean_text(label.document_id or "")
    if not text and not document_id:
        raise RecordRejected("empty_text", "neither a text nor a document id")
    if len(text) > MAX_TEXT_CHARS:
        raise RecordRejected("too_large", f"text has {len(text)} characters, at most {MAX_TEXT_CHARS} are taken")
    names = {name: clean_text(getattr(label, name) or "") for name in ("lang", "source", "annotator")}
    for name, value in (*names.items(), ("document_id", document_id)):
        if len(value) > MAX_NAME_CHARS:
            raise RecordRejected("bad_record", f"{name}: {len(value)} characters, at most {MAX_NAME_CHARS} are taken")
    labelled_at = label.labelled_at
    if labelled_at is not None:
        labelled_at = labelled_at.astimezone(UTC) if labelled_at.tzinfo else labelled_at.replace(tzinfo=UTC)
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
    )


class LabelIntake:
    """A consumer of the label topic that works when it is told to; the scheduler's `labels` job.

    Offsets are committed after the SQL commit and after dead letters are acknowledged. After any failure the
    consumer is dropped, and the next run starts from the committed offsets: a repeated label has no effect.
    Not safe to share between threads.
    """

    def __init__(
        self, bootstrap: str, engine: Engine, *, topic: str, dead_letter_topic: str, group: str = GROUP
    ) -> None:
        """Opens nothing yet."""
        self._bootstrap = bootstrap.split(",")
        self._engine = engine
        self._topic = topic
        self._dead_letter_topic = dead_letter_topic
        self._group = group
        self._consumer: KafkaConsumer | None = None

    def run(self) -> Taken:
        """Take what has arrived, and return.

        Raises:
            DependencyNotReadyError: Kafka does not answer. What PostgreSQL raises is passed on.
        """
        taken = Taken()
        try:
            while batches := self._open().poll(timeout_ms=POLL_MILLISECONDS, max_records=BATCH_RECORDS):
                taken = _sum(taken, self._take([record for batch in batches.values() for record in batch]))
        except KafkaError as error:
            self.close()
            raise DependencyNotReadyError(
                f"the label topic cannot be read: {error}", remedy="opinion doctor"
            ) from error
        except BaseException:
            self.close()
            raise
        return taken

    def close(self) -> None:
        """Leave the group; what was not committed is read again."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with suppress(KafkaError):
                consumer.close(autocommit=False, timeout_ms=2000)

    def _open(self) -> KafkaConsumer:
        if self._consumer is None:
            self._consumer = KafkaConsumer(
                self._topic,
                bootstrap_servers=self._bootstrap,
                group_id=self._group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                allow_auto_create_topics=False,
                isolation_level="read_committed",
                session_timeout_ms=10_000,
                bootstrap_timeout_ms=5_000,
            )
        return self._consumer

    def _take(self, messages: Sequence[Any]) -> Taken:
        good: list[tuple[RawRecord, Statement]] = []
        bad: list[DeadLetter] = []
        for record in map(_raw_record, messages):
            try:
                good.append((record, decode(record)))
            except RecordRejected as rejected:
                bad.append(DeadLetter(record, STAGE, rejected.reason, rejected.detail))
        stored, kept = self._store(good, bad)
        self._publish_dead(bad)
        self._open().commit()
        taken = Taken(stored, kept - stored, len(bad))
        for fate, count in (("stored", taken.stored), ("repeat", taken.repeats), ("dead_lettered", len(bad))):
            LABELS.labels(fate).inc(count)
        log.info("labels_taken", stored=taken.stored, repeats=taken.repeats, dead_lettered=len(bad))
        return taken

    def _store(self, good: Sequence[tuple[RawRecord, Statement]], bad: list[DeadLetter]) -> tuple[int, int]:
        """One transaction. Answers about documents that nobody knows join `bad`. Returns (new, all) rows."""
        with self._engine.begin() as connection:
            ids = [said.document_id for _, said in good if said.document_id]
            known = human_labels.documents_by_id(connection, ids)
            labels = []
            for record, said in good:
                document = known.get(said.document_id or "")
                if document is None and said.text is None:
                    detail = f"document_id: there is no stored document {said.document_id!r}, and no text"
                    bad.append(DeadLetter(record, STAGE, "bad_record", detail))
                else:
                    labels.append(human_labels.linked(said, document, now=record.recorded_at))
            return human_labels.add(connection, labels), len(labels)

    def _publish_dead(self, letters: Sequence[DeadLetter]) -> None:
        if not letters:
            return
        producer = KafkaProducer(bootstrap_servers=self._bootstrap, acks="all", allow_auto_create_topics=False)
        try:
            sends = [
                producer.send(
                    self._dead_letter_topic,
                    key=letter.record.key,
                    value=letter.record.value,
                    headers=letter.headers(),
                )
                for letter in letters
            ]
            for send in sends:
                send.get(ACK_SECONDS)
        finally:
            producer.close(timeout=1)


def _raw_record(message: Any) -> RawRecord:
    return RawRecord(
        message.topic,
        message.partition,
        message.offset,
        datetime.fromtimestamp(message.timestamp / 1000, UTC),
        message.key,
        message.value,
        tuple(message.headers),
    )


def _sum(one: Taken, other: Taken) -> Taken:
    return Taken(one.stored + other.stored, one.repeats + other.repeats, one.dead_lettered + other.dead_lettered)
