"""Dead letters listed, shown and put back by command, on a real broker and database."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from kafka import KafkaConsumer
from typer.testing import CliRunner

from core.metrics import REJECT_REASONS
from opinion.cli import app
from storage import redriven_letters
from storage.engine import connect
from streams import topics
from streams.dead_letters import DeadLetter, RawRecord
from streams.redrive import REDRIVEN_HEADER
from streams.verbatim import send_verbatim
from tests.support.records import START, raw

run = CliRunner()


@dataclass(frozen=True)
class Scene:
    """The topics of one test, and the commands on them."""

    bootstrap: str
    prefix: str

    @property
    def origin(self) -> str:
        return f"{self.prefix}.{topics.RAW}"

    def fill(self, *letters: tuple[RawRecord, str]) -> None:
        """Put dead letters (record and reason) onto the dead-letter topic."""
        asyncio.run(self._fill([DeadLetter(record, "decode", reason, "because") for record, reason in letters]))

    async def _fill(self, letters: list[DeadLetter]) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self.bootstrap) as producer:
            for letter in letters:
                record = letter.record
                topic = f"{self.prefix}.{topics.RAW_DLQ}"
                await (await send_verbatim(producer, topic, record.key, record.value, letter.headers()))

    def dlq(self, *arguments: str, exit_code: int = 0) -> dict[str, Any]:
        """One command; what it prints as JSON."""
        result = run.invoke(app, ["dlq", *arguments, "--json"])
        assert getattr(result.exception, "exit_code", result.exit_code) == exit_code, result.exception
        body: dict[str, Any] = json.loads(result.stdout)
        return body

    def put_back(self, topic: str | None = None) -> list[Any]:
        consumer = KafkaConsumer(
            topic or self.origin,
            bootstrap_servers=self.bootstrap,
            auto_offset_reset="earliest",
            consumer_timeout_ms=1500,
        )
        records = list(consumer)
        consumer.close()
        return records


@pytest.fixture
def scene(
    kafka_bootstrap: str,
    database_url: str,
    new_topic: Callable[..., str],
    topic_prefix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Scene:
    new_topic(topics.RAW)
    new_topic(topics.RAW_DLQ)
    monkeypatch.setenv("OPINION_KAFKA_BOOTSTRAP", kafka_bootstrap)
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    monkeypatch.setenv("OPINION_KAFKA__TOPIC_PREFIX", f"{topic_prefix}.")
    monkeypatch.setenv("OPINION_KAFKA__RAW_RETENTION", "P36500D")
    return Scene(kafka_bootstrap, topic_prefix)


def test_letters_are_put_back_once_and_untouched(scene: Scene) -> None:
    """Key, bytes, own headers and first timestamp come back as they were; a second redrive finds nothing to do."""
    hostile = raw(b"\xff{", 0, topic=scene.origin, key=b"k", headers=(("own", b"1"), ("own", None)))
    nothing = raw(None, 1, topic=scene.origin)
    scene.fill((hostile, "bad_encoding"), (nothing, "empty_value"))
    assert scene.dlq("redrive", "--dry-run")["would_redrive"] == 2
    assert scene.put_back() == []
    assert scene.dlq("redrive")["redriven"] == 2
    again = scene.dlq("redrive")
    assert (again["redriven"], again["already"]) == (0, 2)
    first, second = scene.put_back()
    mark = (REDRIVEN_HEADER, f"{scene.prefix}.{topics.RAW_DLQ}/0@0".encode())
    assert (first.key, first.value, list(first.headers)) == (b"k", b"\xff{", [("own", b"1"), ("own", None), mark])
    assert first.timestamp == START.timestamp() * 1000
    assert (second.key, second.value) == (None, None)


def test_chosen_letters_go_first_and_the_rest_later(scene: Scene) -> None:
    """By id, by reason, by number: each letter goes back once, in whatever order they are chosen."""
    reasons = ["bad_json", "too_large", "bad_json", "empty_text"]
    scene.fill(*((raw(b"%d" % n, n, topic=scene.origin), reason) for n, reason in enumerate(reasons)))
    assert scene.dlq("redrive", "--only", "0:2")["redriven"] == 1
    assert scene.dlq("redrive", "--reason", "bad_json")["reasons"] == {"bad_json": 1}
    assert scene.dlq("redrive", "--limit", "1")["reasons"] == {"too_large": 1}
    assert scene.dlq("redrive")["reasons"] == {"empty_text": 1}
    assert scene.dlq("redrive", "--only", "0:2")["already"] == 1
    assert scene.dlq("redrive", "--only", "0:2", "--again")["redriven"] == 1
    assert [record.value for record in scene.put_back()] == [b"2", b"0", b"1", b"3", b"2"]


def test_crash_between_sending_and_noting_repeats_but_loses_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was sent and not noted is sent again, under the same mark; then never more."""
    scene.fill(*((raw(b"%d" % n, n, topic=scene.origin), "bad_json") for n in range(3)))

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(redriven_letters, "remember", crash)
        run.invoke(app, ["dlq", "redrive"])
    assert scene.dlq("redrive")["redriven"] == 3
    assert scene.dlq("redrive")["redriven"] == 0
    marks = [dict(record.headers)[REDRIVEN_HEADER] for record in scene.put_back()]
    assert sorted(marks) == sorted([*set(marks)] * 2)
    assert len(set(marks)) == 3


def test_foreign_letters_are_refused_and_ours_go_back(scene: Scene) -> None:
    """A letter of a topic that is not read here, or of none, stays; exit code 5 names it."""
    scene.fill(
        (raw(b"x", topic="somebody-elses\x1b[31m"), "bad_json"),
        (raw(b"y", 1, topic=f"{scene.prefix}.{topics.LABEL}"), "bad_json"),
        (raw(b"z", 2, topic=scene.origin), "bad_json"),
    )
    done = scene.dlq("redrive", exit_code=5)
    assert (done["redriven"], done["refused"]) == (1, 2)
    assert "none of the topics" in done["objections"]["0:0"]
    assert "does not exist any more" in done["objections"]["0:1"]
    assert "\x1b" not in str(done)
    assert [record.value for record in scene.put_back()] == [b"z"]


def test_second_redrive_waits_for_the_first(scene: Scene, database_url: str) -> None:
    """Two people at once do not send the same letters twice."""
    scene.fill((raw(b"x", topic=scene.origin), "bad_json"))
    engine = connect(database_url)
    with redriven_letters.one_at_a_time(engine):
        result = run.invoke(app, ["dlq", "redrive"])
    engine.dispose()
    assert getattr(result.exception, "exit_code", None) == 5
    assert scene.put_back() == []


def test_letters_are_listed_counted_and_filtered(scene: Scene) -> None:
    """Every letter is counted by reason, however few are shown; filters choose by reason and by time."""
    scene.fill(*((raw(b"{", n, topic=scene.origin), REJECT_REASONS[n % 3]) for n in range(7)))
    listed = scene.dlq("list", "--limit", "2")
    assert (listed["count"], len(listed["dead_letters"])) == (7, 2)
    assert listed["reasons"] == {"empty_value": 3, "bad_encoding": 2, "bad_json": 2}
    assert listed["dead_letters"][0]["from"] == f"{scene.origin}/0@0"
    assert scene.dlq("list", "--reason", "bad_json")["count"] == 2
    late = scene.dlq("list")["dead_letters"][6]["dead_lettered_at"]
    assert scene.dlq("list", "--since", late)["count"] >= 1
    assert scene.dlq("list", "--since", "2999-01-01")["count"] == 0
    assert "bad_encoding" in run.invoke(app, ["dlq", "list"], env={"COLUMNS": "200"}).stdout


def test_shown_letter_is_harmless_and_raw_bytes_are_untouched(scene: Scene) -> None:
    """`show` escapes what a terminal would obey; `--raw` writes exactly the bytes."""
    value = b'{"text": "\x1b]0;owned\x07\xff\x00\n"}'
    scene.fill((raw(value, topic=scene.origin, key=b"\x1b", headers=(("h", b"\x9b"),)), "bad_json"))
    shown = run.invoke(app, ["dlq", "show", "0:0"])
    assert all(0x20 <= byte < 0x7F or byte == 0x0A for byte in shown.stdout_bytes)
    body = json.loads(shown.stdout)
    assert (body["bytes"], body["key"]) == (len(value), r"\x1b")
    assert run.invoke(app, ["dlq", "show", "0:0", "--raw"]).stdout_bytes == value
    missing = run.invoke(app, ["dlq", "show", "0:1"])
    assert getattr(missing.exception, "exit_code", None) == 4


@pytest.mark.parametrize(
    "wrong", [["show", "3"], ["list", "--reason", "ugly"], ["list", "--since", "soon"], ["redrive", "--only", "x:1"]]
)
def test_wrong_arguments_say_how_to_write_them(scene: Scene, wrong: list[str]) -> None:
    """Exit code 2."""
    assert getattr(run.invoke(app, ["dlq", *wrong]).exception, "exit_code", None) == 2
