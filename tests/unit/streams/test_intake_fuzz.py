import os
from collections import Counter

import msgspec

from core.errors import RecordRejected
from core.metrics import REJECT_REASONS
from core.records import Document
from streams.intake import EARLIEST, MAX_CHARS, MAX_COUNT, content_hash, decode
from tests.support.mutations import LIMITS, Mutator

RECORDS = int(os.environ.get("OPINION_FUZZ_RECORDS", "200000"))
SEED = int(os.environ.get("OPINION_FUZZ_SEED", "20240501"))


def is_storable(document: Document) -> bool:
    """Whether PostgreSQL, Kafka and JSON take every field."""
    texts = {name: getattr(document, name) or "" for name in (*MAX_CHARS, "text", "kind")}
    return (
        all("\x00" not in text and text.encode() is not None for text in texts.values())
        and all(len(texts[name]) <= most for name, most in MAX_CHARS.items())
        and 0 < len(document.text) <= LIMITS.max_text_chars
        and bool(document.id and document.lang and content_hash(document))
        and document.published_at is not None
        and document.published_at >= EARLIEST
        and document.crawled_at is not None
        and all(type(n) is int and 0 <= n <= MAX_COUNT for n in msgspec.structs.astuple(document.metrics))
    )


def test_every_mutated_record_is_a_storable_document_or_rejected():
    """200,000 bent and broken records: each gives a document that can be stored or a reason, never a crash."""
    fates: Counter[str] = Counter()
    for record in Mutator(SEED).records(RECORDS):
        try:
            document = decode(record, LIMITS)
        except RecordRejected as rejected:
            fates[rejected.reason] += 1
        except Exception as error:
            error.add_note(f"seed {SEED}, record {record.offset}: {(record.value or b'')[:300]!r}")
            raise
        else:
            assert is_storable(document), (SEED, record.offset, document)
            fates["document"] += 1
    assert fates.total() == RECORDS
    if RECORDS >= 100_000:  # so that the mutator still meets every reason
        assert fates.keys() == {"document", *REJECT_REASONS} - {"poisons_its_batch"}
