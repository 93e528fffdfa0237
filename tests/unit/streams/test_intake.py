import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import RecordRejected
from core.metrics import REJECT_REASONS
from streams.dead_letters import record_time
from streams.intake import decode
from streams.language import detect_lang
from tests.support.records import LIMITS, START, raw


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "empty_value"),
        (b"", "empty_value"),
        (b"{not json", "bad_json"),
        (b'{"text": "\xff\xfe"}', "bad_encoding"),
        (b"[1, 2]", "bad_record"),
        ({"id": "a"}, "bad_record"),
        ({"text": 7}, "bad_record"),
        ({"text": " \x00\t "}, "empty_text"),
        ({"text": "x", "kind": "advert"}, "bad_record"),
        ({"text": "x", "published_at": "soon"}, "bad_record"),
        ({"text": "x", "published_at": "2030-01-01"}, "published_in_future"),
        ({"text": "x", "published_at": "0001-01-01"}, "bad_record"),
        ({"text": "x", "crawled_at": "9999-01-01"}, "bad_record"),
        ({"text": "x", "metrics": {"likes": -1}}, "bad_record"),
        ({"text": "x", "metrics": {"likes": "many"}}, "bad_record"),
        ({"text": "x", "metrics": {"likes": True}}, "bad_record"),
        ({"text": "x", "metrics": {"likes": 1.5}}, "bad_record"),
        ({"text": "x", "source": "s" * 201}, "bad_record"),
        ({"text": "x" * 1001}, "too_large"),
        (b'{"text": "' + b"x" * 10_000 + b'"}', "too_large"),
    ],
)
def test_malformed_records_name_their_reason(value, reason):
    """Each way of being malformed has its own reason, so that a crawler's owner can mend it."""
    with pytest.raises(RecordRejected) as rejected:
        decode(raw(value), LIMITS)
    assert rejected.value.reason == reason


def test_absent_fields_are_filled_from_the_record():
    """A record that says only its text becomes a complete document, the same one at every redelivery."""
    document = decode(raw({"text": "油价上涨"}, offset=3), LIMITS)
    assert document.published_at == document.crawled_at == START + timedelta(seconds=3)
    assert (document.lang, document.source, document.kind) == ("zh", "unknown", "post")
    assert document.id == decode(raw({"text": "油价上涨"}, offset=9), LIMITS).id


def test_created_at_stands_for_published_at():
    """Files that say created_at keep their event time; a bare date begins in the configured zone."""
    document = decode(raw({"text": "x", "created_at": "2024-05-01"}), LIMITS)
    assert document.published_at == datetime(2024, 4, 30, 16, tzinfo=UTC)


def test_unknown_fields_and_nulls_are_ignored():
    """A crawler may write more than we know, and null for what it does not know."""
    document = decode(raw({"text": "x", "stance": "doubt", "title": None, "metrics": None, "lang": None}), LIMITS)
    assert document.text == "x"


def test_nan_is_read_as_null():
    """What Python writes for a missing value does not cost the record."""
    assert decode(raw(b'{"text": "x", "domain": NaN, "url": NaN}'), LIMITS).url is None


@pytest.mark.parametrize("before", [b'{"unknown":', b'{"metrics":{"likes":', b'{"url":NaN,"unknown":'])
def test_deep_nesting_is_rejected(before):
    """A record nested deeper than Python's stack is bad JSON, also in a field that nobody reads."""
    value = before + b"[" * 100_000 + b"]" * 100_000 + b"}" * before.count(b"{")
    with pytest.raises(RecordRejected) as rejected:
        decode(raw(value), replace(LIMITS, max_value_bytes=1_000_000))
    assert rejected.value.reason == "bad_json"


def test_whole_floats_are_counts():
    """What pandas writes for a column of counts with gaps does not cost the record."""
    assert decode(raw({"text": "x", "metrics": {"likes": 3.0}}), LIMITS).metrics.likes == 3


@pytest.mark.parametrize("seconds", [-0.001, 1.7e15, float("inf")])
def test_record_without_a_usable_timestamp_is_rejected(seconds):
    """A Kafka record without a timestamp, or with one in microseconds, cannot be placed in time and stops nobody."""
    record = raw({"text": "x"}, recorded_at=record_time(seconds))
    with pytest.raises(RecordRejected, match="no timestamp"):
        decode(record, LIMITS)


def test_control_characters_and_surrogates_are_removed():
    """What PostgreSQL cannot hold and a terminal must not see is gone; line breaks stay."""
    document = decode(raw(b'{"text": "a\\u0000b\\u001b[31m\\nc"}'), LIMITS)
    assert document.text == "ab[31m\nc"


def test_title_alone_is_enough():
    """A headline without a body is a document."""
    assert decode(raw({"title": "Bank falls"}), LIMITS).text == "Bank falls"


@pytest.mark.parametrize(
    ("text", "lang"), [("good", "en"), ("很好", "zh"), ("とても良い", "ja"), ("좋아요", "ko"), ("123 !?", "en")]
)
def test_language_by_script(text, lang):
    """The script decides the language where the crawler does not say it."""
    assert detect_lang(text) == lang


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FIELDS = ["id", "text", "title", "source", "published_at", "created_at", "crawled_at", "metrics", "kind", "lang"]


@given(st.dictionaries(st.sampled_from(FIELDS), JSON) | st.binary())
def test_every_record_is_a_document_or_rejected(value):
    """Whatever bytes come, decoding ends in a storable document or a known reason, never in a crash."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    try:
        document = decode(raw(body), LIMITS)
    except RecordRejected as rejected:
        reason = rejected.reason
    else:
        reason = REJECT_REASONS[0]
        assert "\x00" not in document.text
        assert document.text.encode()
        assert document.id
        assert document.published_at
    assert reason in REJECT_REASONS
