"""Labels in and out: files and the topic, into a real database."""

import asyncio
import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from kafka import KafkaConsumer, KafkaProducer
from sqlalchemy import Engine, text
from sqlalchemy.exc import ProgrammingError

from opinion.label_files import write_labels
from opinion.label_import import Imported, ImportOptions, import_file
from storage import human_labels
from storage.engine import connect
from streams.dead_letters import read_error_headers
from streams.labels import Taken, take_labels
from streams.verbatim import send_verbatim
from tests.support.records import row
from tests.support.rows import store_rows

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url)
    yield engine
    engine.dispose()


def imported(engine: Engine, path: Path, *, is_strict: bool = False) -> Imported:
    return import_file(engine, path, ImportOptions("li", is_strict, UTC), now=NOW)


def labels_file(folder: Path, *lines: Mapping[str, object]) -> Path:
    path = folder / "labels.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def stored(engine: Engine) -> list[tuple[str | None, str, str, str]]:
    """Document, text, head and answer of every label."""
    with engine.connect() as connection:
        return [(row.document_id, row.text, row.head, row.answer) for row in human_labels.rows(connection)]


def test_labels_find_their_documents(engine: Engine, tmp_path: Path) -> None:
    """By id, or by a text equal to a document's (with or without its title)."""
    store_rows(
        engine, [row("weibo:1", text="电池起火", title="新闻"), row("weibo:2", 1, text="球队赢了", title="标题")]
    )
    path = labels_file(
        tmp_path,
        {"id": "weibo:1", "topic": "automobile"},
        {"text": "球队赢了", "topic": "sports", "source": "elsewhere"},
        {"text": "无人知道", "topic": "health", "id": "other-7"},
    )
    result = imported(engine, path)
    assert (result.labels, result.new, result.linked) == (3, 3, 2)
    assert stored(engine) == [
        ("weibo:1", "新闻\n电池起火", "topic", "automobile"),
        ("weibo:2", "标题\n球队赢了", "topic", "sports"),
        (None, "无人知道", "topic", "health"),
    ]


def test_a_label_of_an_older_version_keeps_its_text(engine: Engine, tmp_path: Path) -> None:
    """Who judged a text that has since been revised judged that text, not the new one."""
    store_rows(engine, [row("weibo:1", text="改过的")])
    imported(engine, labels_file(tmp_path, {"id": "weibo:1", "text": "原来的", "topic": "sports"}))
    assert stored(engine) == [("weibo:1", "原来的", "topic", "sports")]


def test_a_repeated_import_changes_nothing(engine: Engine, tmp_path: Path) -> None:
    """The same file again, also after its document has arrived, adds no row."""
    path = labels_file(tmp_path, {"text": "第 1 条", "topic": "sports", "sentiment": "neutral"})
    assert imported(engine, path).new == 2
    store_rows(engine, [row("weibo:1", text="第 1 条")])
    assert imported(engine, path).new == 0
    assert len(stored(engine)) == 2


def test_unknown_documents_are_reported(engine: Engine, tmp_path: Path) -> None:
    """A line with neither a text nor a stored document is rejected by number; the others are stored."""
    path = labels_file(tmp_path, {"id": "gone:1", "topic": "sports"}, {"text": "a", "topic": "sports"})
    result = imported(engine, path)
    assert [(reject.line, reject.reason) for reject in result.rejects] == [(1, "unknown_document")]
    assert result.new == 1


def test_strict_refuses_the_whole_file(engine: Engine, tmp_path: Path) -> None:
    """With --strict one bad line leaves nothing behind."""
    path = labels_file(tmp_path, {"text": "a", "topic": "sports"}, {"text": "b", "topic": "weather"})
    result = imported(engine, path, is_strict=True)
    assert result.is_refused
    assert stored(engine) == []


def test_a_failure_in_the_middle_stores_nothing(engine: Engine, tmp_path: Path) -> None:
    """Every label of a file is in one transaction."""
    path = labels_file(tmp_path, *({"text": f"t{nth}", "topic": "sports"} for nth in range(2500)))

    def interrupt(done: int, total: int) -> None:
        assert (done, total) == (2000, 2500)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_file(engine, path, ImportOptions("li", False, UTC), now=NOW, on_stored=interrupt)
    assert stored(engine) == []


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_an_export_can_be_imported_again(engine: Engine, tmp_path: Path, suffix: str) -> None:
    """What was exported is known when it comes back, hostile cells included; no CSV cell is a formula."""
    imported(
        engine,
        labels_file(
            tmp_path,
            {"text": '=cmd|"/C calc"!A1', "topic": "sports"},
            {"text": '两\n行, "引"', "topic": "health", "sentiment": "negative"},
        ),
    )
    before = stored(engine)
    out = io.StringIO(newline="")
    with engine.connect() as connection:
        assert write_labels(out, human_labels.rows(connection), is_csv=suffix == "csv") == 3
    if suffix == "csv":
        cells = [cell for row in csv.reader(io.StringIO(out.getvalue(), newline="")) for cell in row]
        assert not any(cell.startswith("=") for cell in cells)
    exported = tmp_path / f"exported.{suffix}"
    exported.write_text(out.getvalue(), newline="")
    assert imported(engine, exported).new == 0
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE human_label"))
    assert imported(engine, exported).new == 3
    assert stored(engine) == before


def test_the_topic_fills_the_table(engine: Engine, kafka_bootstrap: str, new_topic: Callable[..., str]) -> None:
    """Good records are stored once however often they come; bad ones reach the dead-letter topic untouched."""
    store_rows(engine, [row("weibo:1", text="第 1 条")])
    topic, dead_letters = new_topic("label"), new_topic("label.dlq")
    good = [
        b'{"head": "topic", "answer": "sports", "document_id": "weibo:1"}',
        b'{"head": "sentiment", "answer": "negative", "text": "bad", "labelled_at": "2026-04-30T10:00:00Z"}',
    ]
    bad = [
        b"{not json",
        b'{"head": "topic", "answer": "weather", "text": "a"}',
        b'{"head": "topic", "answer": "sports", "document_id": "gone:1"}',
        b'{"head": "mood", "answer": "sports", "text": "a"}',
        b'{"head": "topic", "answer": "sports"}',
        b'{"head": "topic", "answer": "sports", "text": "\xff"}',
    ]
    send(kafka_bootstrap, topic, [*good, good[1], *bad])
    assert taken(engine, kafka_bootstrap, topic, dead_letters) == Taken(stored=2, repeat=1, dead_lettered=6)
    assert stored(engine) == [("weibo:1", "第 1 条", "topic", "sports"), (None, "bad", "sentiment", "negative")]
    letters = read_all(kafka_bootstrap, dead_letters, len(bad))
    assert {letter.value for letter in letters} == set(bad)
    facts = [read_error_headers(letter.headers) for letter in letters]
    assert {fact["exception.class.name"] for fact in facts} == {
        "bad_json",
        "bad_record",
        "empty_text",
        "bad_encoding",
    }
    assert all((fact["topic"], fact["stage"]) == (topic, "label") for fact in facts)
    assert all(letter.headers[0] == ("trace", b"7") for letter in letters)
    assert taken(engine, kafka_bootstrap, topic, dead_letters) == Taken()


def test_hostile_labels_do_not_stop_the_job(
    engine: Engine, kafka_bootstrap: str, new_topic: Callable[..., str]
) -> None:
    """No key and no value, times off the calendar, endless nesting: dead letters, and the next label is stored."""
    topic, dead_letters = new_topic("label"), new_topic("label.dlq")
    off = [
        b'{"head":"topic","answer":"sports","text":"a","labelled_at":"0001-01-01T00:00:00+23:59"}',
        b'{"head":"topic","answer":"sports","text":"a","x":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        b'{"head":"topic","answer":"sports","text":"a"}',
    ]
    asyncio.run(send_nothing(kafka_bootstrap, topic))
    send(kafka_bootstrap, topic, off)
    assert taken(engine, kafka_bootstrap, topic, dead_letters) == Taken(stored=1, dead_lettered=3)
    letters = read_all(kafka_bootstrap, dead_letters, 3)
    assert {(letter.key, letter.value) for letter in letters} == {(None, None), (b"k", off[0]), (b"k", off[1])}


async def send_nothing(bootstrap: str, topic: str) -> None:
    """A record without key and value."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        await (await send_verbatim(producer, topic, None, None, []))


def test_nothing_is_committed_that_was_not_stored(
    engine: Engine, kafka_bootstrap: str, new_topic: Callable[..., str]
) -> None:
    """While SQL refuses, the records stay in the topic; the next run stores them, each once."""
    topic = new_topic("label")
    send(kafka_bootstrap, topic, [b'{"head": "topic", "answer": "sports", "text": "a"}'])
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE human_label RENAME TO elsewhere"))
    with pytest.raises(ProgrammingError, match="human_label"):
        taken(engine, kafka_bootstrap, topic, topic)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO human_label"))
    assert taken(engine, kafka_bootstrap, topic, topic) == Taken(stored=1)
    assert taken(engine, kafka_bootstrap, topic, topic) == Taken()


def send(bootstrap: str, topic: str, values: list[bytes]) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    for value in values:
        producer.send(topic, key=b"k", value=value, headers=[("trace", b"7")]).get(10)
    producer.close()


def taken(engine: Engine, bootstrap: str, topic: str, dead_letters: str) -> Taken:
    """One run of the job."""
    return take_labels(bootstrap, engine, topic=topic, dead_letter_topic=dead_letters, should_stop=lambda: False)


def read_all(bootstrap: str, topic: str, count: int) -> list[Any]:
    consumer = KafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=10_000
    )
    records = [record for record, _ in zip(consumer, range(count), strict=False)]
    consumer.close()
    return records
