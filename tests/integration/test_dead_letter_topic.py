from kafka import KafkaConsumer, KafkaProducer

from streams.dead_letter_topic import read, redrive
from streams.dead_letters import DeadLetter
from tests.support.records import raw


def test_dead_letters_are_read_and_put_back_once(kafka_bootstrap, new_topic):
    """A dead letter goes back to its own topic with key, bytes and own headers untouched, and only once."""
    origin, dlq = new_topic("raw"), new_topic("dlq")
    records = [raw(b"\xff{", offset=n, topic=origin, key=b"k", headers=(("own", b"1"),)) for n in range(3)]
    strange = raw(b"x", topic="somebody-elses-topic")
    producer = KafkaProducer(bootstrap_servers=kafka_bootstrap)
    for record in [*records, strange]:
        letter = DeadLetter(record, "decode", "bad_encoding", "not UTF-8")
        producer.send(dlq, key=record.key, value=record.value, headers=letter.headers())
    producer.close()

    assert [letter.error["exception.class.name"] for letter in read(kafka_bootstrap, dlq)] == ["bad_encoding"] * 4
    assert redrive(kafka_bootstrap, dlq, origin) == 3
    assert redrive(kafka_bootstrap, dlq, origin) == 0

    consumer = KafkaConsumer(
        origin, bootstrap_servers=kafka_bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=1500
    )
    back = list(consumer)
    consumer.close()
    assert [(r.key, r.value, list(r.headers)) for r in back] == [(b"k", b"\xff{", [("own", b"1")])] * 3
