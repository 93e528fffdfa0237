"""Every example of the pages on pushing, importing and watching sources does what the page says."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from kafka import KafkaConsumer

from alerts.watches.source_health import HealthOptions
from alerts.watches.source_watch import Look, SourceWatch
from core.settings import KafkaSettings, load_settings
from opinion.commands.web import document_sink, push_limits
from storage import bucket_counts
from storage.engine import connect
from streams import topics
from tests.support.consoles import serving
from tests.support.minutes import MINUTE, Minute, add
from tests.support.pages import ROOT, Reader, examples
from tests.support.waiting import wait_for
from web.app import create_app


@pytest.fixture
def environment(
    kafka_bootstrap: str, database_url: str, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """Settings of the test's own servers; also for this process."""
    chosen = {
        "OPINION_HOME": str(tmp_path / "var"),
        "OPINION_KAFKA_BOOTSTRAP": kafka_bootstrap,
        "OPINION_KAFKA__TOPIC_PREFIX": f"{topic_prefix}.",
        "OPINION_KAFKA__PARTITIONS": "1",
        "OPINION_DATABASE_URL": database_url,
    }
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    return chosen


def sent(environment: dict[str, str]) -> list[dict[str, object]]:
    """The documents on the raw topic, in order."""
    consumer = KafkaConsumer(
        environment["OPINION_KAFKA__TOPIC_PREFIX"] + topics.RAW,
        bootstrap_servers=environment["OPINION_KAFKA_BOOTSTRAP"],
        auto_offset_reset="earliest",
        consumer_timeout_ms=2000,
    )
    found = [json.loads(record.value) for record in consumer]
    consumer.close()
    return found


@pytest.fixture
def console(environment: dict[str, str]) -> Iterator[str]:
    """The console as `opinion web` builds it."""
    settings = load_settings()
    kafka = KafkaSettings(topic_prefix=settings.kafka.topic_prefix, partitions=1)
    topics.apply(environment["OPINION_KAFKA_BOOTSTRAP"], kafka)
    engine = connect(environment["OPINION_DATABASE_URL"])
    with serving(create_app(engine, sink=document_sink(settings), push_limits=push_limits(settings))) as url:
        yield url
    engine.dispose()


def test_the_page_on_pushing(environment: dict[str, str], console: str, tmp_path: Path) -> None:
    """Token, curl, NDJSON and the sender in Python, in the order of the page."""
    reader = Reader(tmp_path, environment, {"http://127.0.0.1:8080": console})
    token, one, many, python = examples("push-documents.md")
    reader.types(token)
    assert json.loads(reader.types(one))["documents"][0]["id"] == "forum:17"
    answer = json.loads(reader.types(many))
    assert (answer["accepted"], answer["documents"][1]["detail"]) == (1, "text: there is none")
    program = (python[0], python[1] + "\nprint(len(refused), refused[0]['reason'])\n")
    assert reader.types(program) == "1 empty_text\n"
    assert [one["text"] for one in sent(environment)] == ["排队两小时，服务太差了", "很好", "好吃"]


def test_the_page_on_importing(environment: dict[str, str], tmp_path: Path) -> None:
    """A dry run sends nothing; the import sends the good rows; a folder is read and emptied."""
    reader = Reader(tmp_path, environment, {})
    dry, real, folder = examples("import-documents.md")[:3]
    shown = reader.types(dry)
    assert "2026-03-01 20:15+08:00" in shown
    assert "gestern" in shown
    assert not (tmp_path / "rejects.jsonl").exists()
    rejects = [json.loads(line) for line in reader.types(real).splitlines() if line.startswith("{")]
    assert [one["line"] for one in rejects] == [3, 4]
    [first] = sent(environment)
    assert (first["source"], first["published_at"], first["metrics"]) == (
        "weibo", "2026-03-01T12:15:00Z", {"likes": 17},
    )  # fmt: skip
    assert json.loads(reader.types(folder))["line"] == 2
    assert [one["text"] for one in sent(environment)] == ["排队两小时，服务太差了", "很好"]


def test_the_page_on_sources(environment: dict[str, str], tmp_path: Path) -> None:
    """The list in both forms, muting and telling again."""
    engine, now = connect(environment["OPINION_DATABASE_URL"]), datetime.now(UTC).replace(second=0, microsecond=0)
    with engine.begin() as connection:
        add(connection, [Minute(now - n * MINUTE, "old-forum", "sports", 0, 1) for n in range(60)])
        watch = SourceWatch(HealthOptions(ZoneInfo("UTC")), (), "")
        newest = bucket_counts.newest_minutes(connection, not_after=now)
        watch.run(connection, Look(newest, now, None, now))
    engine.dispose()
    reader = Reader(tmp_path, environment, {})
    listing, muting = examples("watch-sources.md")
    shown = reader.types(listing)
    assert "old-forum" in shown
    assert '"state": "new"' in shown
    told = reader.types(muting)
    assert "is muted until" in told
    assert "old-forum is told of again" in told


def test_a_follower_that_is_killed_reads_the_file_again(environment: dict[str, str], tmp_path: Path) -> None:
    """kill -9 in the middle of a file: the next start has it whole, and then it is done."""
    folder = tmp_path / "in"
    folder.mkdir()
    count = 30_000
    lines = [json.dumps({"id": f"d{n}", "text": f"text {n} " + "x" * 300}) for n in range(count)]
    (folder / "big.jsonl").write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-m", "opinion.cli", "follow", str(folder), "--settle", "0.2", "--once"]
    first = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    wait_for(lambda: list((folder / ".reading").glob("big.jsonl")), 60, "the file is being read")
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert (folder / ".reading" / "big.jsonl").exists()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (folder / "done" / "big.jsonl").exists()
    found = [one["id"] for one in sent(environment)]
    assert len(set(found)) == count
