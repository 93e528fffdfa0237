import json
import os
import subprocess
import sys

import pytest
from kafka import KafkaConsumer

from streams import topics


@pytest.fixture
def opinion(kafka_bootstrap, topic_prefix, tmp_path):
    """Runs the command line against the test's broker and returns the finished process."""

    def run(*arguments, expect=0):
        done = subprocess.run(
            [sys.executable, "-m", "opinion.cli", *map(str, arguments)],
            cwd=tmp_path,
            env={
                **os.environ,
                "OPINION_HOME": str(tmp_path / "var"),
                "OPINION_KAFKA_BOOTSTRAP": kafka_bootstrap,
                "OPINION_KAFKA__TOPIC_PREFIX": f"{topic_prefix}.",
                "OPINION_KAFKA__PARTITIONS": "2",
            },
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == expect, done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


def test_import_puts_every_good_line_on_the_topic(opinion, kafka_bootstrap, topic_prefix, tmp_path):
    """Good lines become keyed records, bad ones end in the rejects file with line and reason, JSON goes to stdout."""
    lines = [json.dumps({"id": f"d{n}", "text": "很好", "created_at": "2024-05-01"}) for n in range(50)]
    (tmp_path / "docs.jsonl").write_text("\n".join([*lines[:20], "{oops", *lines[20:]]) + "\n")
    result = json.loads(opinion("import", "docs.jsonl", "--json").stdout)
    assert (result["documents"], result["rejected"]) == (50, 1)
    [reject] = [json.loads(line) for line in (tmp_path / "rejects.jsonl").read_text().splitlines()]
    assert (reject["file"], reject["line"]) == ("docs.jsonl", 21)

    consumer = KafkaConsumer(
        f"{topic_prefix}.{topics.RAW}",
        bootstrap_servers=kafka_bootstrap,
        auto_offset_reset="earliest",
        consumer_timeout_ms=2000,
    )
    records = list(consumer)
    consumer.close()
    assert {record.key.decode() for record in records} == {f"d{n}" for n in range(50)}
    assert json.loads(records[0].value)["published_at"] == "2024-04-30T16:00:00Z"


def test_missing_file_is_a_clear_error(opinion):
    """A file that is not there ends with exit code 4 and no traceback."""
    assert "no such file" in opinion("import", "nothing.jsonl", expect=4).stderr


def test_topics_are_planned_then_applied(opinion):
    """`topics plan` changes nothing, `apply` creates what is missing, and then there is nothing left to do."""
    planned = json.loads(opinion("topics", "plan", "--json").stdout)["topics"]
    assert {change["action"] for change in planned} == {"create"}
    opinion("topics", "apply")
    again = json.loads(opinion("topics", "plan", "--json").stdout)["topics"]
    assert {change["action"] for change in again} == {"ok"}


def test_configured_broker_that_is_away_is_a_clear_error(opinion, monkeypatch):
    """A wrong address ends with exit code 3 and the remedy."""
    monkeypatch.setenv("OPINION_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    done = subprocess.run(
        [sys.executable, "-m", "opinion.cli", "topics", "plan"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 3
    assert "127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr
