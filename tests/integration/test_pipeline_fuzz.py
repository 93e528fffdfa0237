import json
import os
from collections import Counter
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaProducer
from kafka import KafkaConsumer
from sqlalchemy import text

from core.errors import RecordRejected
from storage import audit, offset_ledger
from storage.engine import connect
from streams import topics
from streams.classify import ClassifyStep
from streams.dead_letters import PREFIX, read_error_headers
from streams.intake import decode
from streams.pipeline import Pipeline
from streams.publish import PublishStep
from streams.retry import Patience
from streams.store import StoreStep
from tests.support.mutations import LIMITS, Mutator
from tests.support.records import WordClassifier

RECORDS = int(os.environ.get("OPINION_FUZZ_STORED_RECORDS", "20000"))
SEED = int(os.environ.get("OPINION_FUZZ_SEED", "20240501"))
BATCH = 256
POISON_EVERY = 1000  # records that only the classifier refuses
LARGEST = topics.RAW_MAX_BYTES + 64 * 1024

WRITTEN = text("""
    SELECT record_offset, 'stored' AS fate FROM document WHERE revision = 0
    UNION ALL SELECT record_offset, CASE revision WHEN 0 THEN 'stored' ELSE 'revision' END FROM document_revision
    UNION ALL SELECT record_offset, 'revision' FROM document WHERE revision > 0
""")


@pytest.fixture
def records():
    """Mutated records; now and then one that reads well and breaks the classifier."""
    poison = json.dumps({"text": "poison"}).encode()
    return [
        replace(record, value=poison) if record.offset % POISON_EVERY == 3 else record
        for record in Mutator(SEED).records(RECORDS)
    ]


def read_all(bootstrap, topic):
    consumer = KafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=2000
    )
    found = list(consumer)
    consumer.close()
    return found


def expected_reasons(records):
    """By offset, why a record is refused; those that no step refuses are absent."""
    reasons = {}
    for record in records:
        try:
            if "poison" in decode(record, LIMITS).text:
                reasons[record.offset] = "poisons_its_batch"
        except RecordRejected as rejected:
            reasons[record.offset] = rejected.reason
    return reasons


async def test_every_mutated_record_meets_exactly_one_fate(records, database_url, kafka_bootstrap, new_topic):
    """Of 20,000 bent and broken records each is stored, a repeat, a revision or dead-lettered untouched; no batch
    fails, and ledger, rows, counts and both topics tell the same."""
    classified, dlq = new_topic("classified"), new_topic("dlq", **{"max.message.bytes": str(LARGEST)})
    engine = connect(database_url)
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka_bootstrap, enable_idempotence=True, max_request_size=LARGEST, linger_ms=5
    )
    await producer.start()
    try:
        publish = PublishStep(producer, classified_topic=classified, dead_letter_topic=dlq)
        classify = ClassifyStep(WordClassifier(), load=lambda path: WordClassifier())
        pipeline = Pipeline(LIMITS, classify, StoreStep(engine), publish, Patience(lambda: False))
        for first in range(0, len(records), BATCH):
            await pipeline.process(records[first : first + BATCH])
    finally:
        await producer.stop()

    with engine.connect() as connection:
        fates = Counter(offset_ledger.totals(connection))
        written = [(row.record_offset, row.fate) for row in connection.execute(WRITTEN)]
    with engine.connect() as connection:
        report = audit.audit(connection, "raw", {})
    engine.dispose()
    letters, reasons = read_all(kafka_bootstrap, dlq), expected_reasons(records)
    by_offset = {int(read_error_headers(letter.headers)["offset"]): letter for letter in letters}

    assert len(letters) == len(by_offset) == fates["dead_lettered"], f"seed {SEED}"
    assert {
        offset: read_error_headers(letter.headers)["exception.class.name"] for offset, letter in by_offset.items()
    } == reasons, f"seed {SEED}"
    for offset, letter in by_offset.items():
        record = records[offset]
        own = tuple(header for header in letter.headers if not header[0].startswith(PREFIX))
        assert (letter.key, letter.value, own) == (record.key, record.value, record.headers), f"seed {SEED}"
    assert Counter(fate for _, fate in written) == {"stored": fates["stored"], "revision": fates["revisions"]}
    assert len({offset for offset, _ in written} | by_offset.keys()) == len(written) + len(by_offset)
    assert len(written) + len(by_offset) + fates["repeats"] == RECORDS
    assert min(fates.values()) > 0
    assert len(read_all(kafka_bootstrap, classified)) == len(written)
    assert report.is_clean
