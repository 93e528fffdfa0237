from streams.dead_letters import DeadLetter, read_error_headers
from tests.support.records import raw


def test_error_headers_say_where_and_why():
    """A dead letter carries its origin and reason in Kafka Connect's headers, beside its own."""
    record = raw(b"{", offset=41, partition=3, headers=(("trace", b"1"),))
    headers = DeadLetter(record, "decode", "bad_json", "truncated").headers()
    assert ("trace", b"1") in headers
    facts = read_error_headers(headers)
    assert facts["topic"] == "raw"
    assert (facts["partition"], facts["offset"]) == ("3", "41")
    assert facts["exception.class.name"] == "bad_json"


def test_second_failure_replaces_the_first_reason():
    """A re-driven record that fails again has one set of error headers, the newest."""
    first = DeadLetter(raw(b"{"), "decode", "bad_json", "a").headers()
    second = DeadLetter(raw(b"{", headers=tuple(first)), "decode", "bad_record", "b").headers()
    assert [name for name, _ in second].count("__connect.errors.exception.class.name") == 1
    assert read_error_headers(second)["exception.message"] == "b"
