"""How long a rollback takes, from the command to what workers hear."""

import queue
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest

from core.records import ModelAnnouncement
from core.settings import load_settings
from opinion.promotions import announce_pending, promote
from storage.engine import connect
from streams import topics
from streams.announcements import ModelFollower
from tests.support.checkpoints import tiny_checkpoint

MOST_SECONDS = 60.0  # generous: the machine may be busy with other tests, and most of it is Python starting


def test_a_rollback_is_heard_within_seconds(
    database_url: str, kafka_bootstrap: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process of its own, files read and compared, down to the announcement in a worker's hands."""
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    monkeypatch.setenv("OPINION_KAFKA_BOOTSTRAP", kafka_bootstrap)
    monkeypatch.setenv("OPINION_KAFKA__TOPIC_PREFIX", f"rollback-{uuid4().hex[:8]}.")
    monkeypatch.setenv("OPINION_HOME", str(tmp_path / "var"))
    settings = load_settings()
    topics.apply(kafka_bootstrap, settings.kafka)
    topic = settings.kafka.topic_prefix + topics.MODEL
    engine = connect(database_url)
    for nth in (1, 2):
        promote(engine, str(tiny_checkpoint(tmp_path / f"m{nth}", seed=nth)), reason="test", by="li")
    announce_pending(engine, kafka_bootstrap, topic)
    engine.dispose()
    heard: queue.Queue[ModelAnnouncement] = queue.Queue()
    follower = ModelFollower(kafka_bootstrap, topic, heard.put)
    follower.start()
    assert heard.get(timeout=60).version == "m2"
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "opinion.cli", "models", "rollback", "--json"], check=True, timeout=90)
    assert heard.get(timeout=60).version == "m1"
    seconds = time.monotonic() - began
    follower.stop()
    assert seconds < MOST_SECONDS, f"{seconds:.1f} s"
