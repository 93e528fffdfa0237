"""The champion in SQL and on the compacted topic."""

import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer
from sqlalchemy import Engine

from core.errors import CheckpointError, DependencyNotReadyError, NotFoundError
from core.records import ModelAnnouncement
from opinion.promotions import announce_pending, first_champion, promote, rollback
from storage import model_versions
from storage.engine import connect
from streams.announcements import ModelFollower, announce
from tests.support.checkpoints import tiny_checkpoint


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def versions(engine: Engine, tmp_path: Path) -> list[str]:
    """Three registered versions with folders, a to c."""
    with engine.begin() as connection:
        for name in "abc":
            (tmp_path / name).mkdir()
            model_versions.register(connection, name, str(tmp_path / name), origin="trained")
    return list("abc")


def champion(engine: Engine) -> str | None:
    with engine.connect() as connection:
        found = model_versions.champion(connection)
    return found.version if found else None


@contextmanager
def following(bootstrap: str, topic: str) -> "Iterator[queue.Queue[ModelAnnouncement]]":
    """What a worker hears, in order."""
    heard: queue.Queue[ModelAnnouncement] = queue.Queue()
    follower = ModelFollower(bootstrap, topic, heard.put)
    follower.start()
    yield heard
    follower.stop()


def announcement(version: str) -> ModelAnnouncement:
    return ModelAnnouncement(version=version, path=f"models/{version}", promoted_at=datetime(2026, 5, 1, tzinfo=UTC))


def test_the_configured_checkpoint_is_the_first_champion(engine: Engine, tmp_path: Path) -> None:
    """Before any promotion the checkpoint that workers use is registered, once, with its own version."""
    folder = tiny_checkpoint(tmp_path / "mine")
    for _ in range(2):
        with engine.begin() as connection:
            assert first_champion(connection, str(folder)).version == "mine"
    with engine.connect() as connection:
        assert [version.path for version in model_versions.versions(connection)] == [str(folder.resolve())]


def test_promote_and_roll_back(engine: Engine, versions: list[str]) -> None:
    """Rollback goes to the champion before; a second one goes a step further, never back to what was left."""
    for name in versions:
        promote(engine, name, reason="test", by="li")
    assert champion(engine) == "c"
    rolled_back = rollback(engine, to=None, by="li")
    assert (rolled_back.version, rolled_back.reason) == ("b", "rollback from c")
    assert rollback(engine, to=None, by="li").version == "a"
    with pytest.raises(NotFoundError):
        rollback(engine, to=None, by="li")
    assert rollback(engine, to="c", by="li").version == "c"


def test_who_was_champion_when(engine: Engine, versions: list[str]) -> None:
    """SQL answers for any time; before the first promotion there was none."""
    first = promote(engine, "a", reason="test", by="li")
    second = promote(engine, "b", reason="test", by="li")
    with engine.connect() as connection:
        at = [
            model_versions.champion_at(connection, moment)
            for moment in (first.promoted_at - timedelta(microseconds=1), first.promoted_at, second.promoted_at)
        ]
    assert [found and found.version for found in at] == [None, "a", "b"]


def test_a_folder_can_be_promoted(engine: Engine, tmp_path: Path) -> None:
    """A checkpoint trained elsewhere is registered by its folder; what cannot be loaded is refused."""
    folder = tiny_checkpoint(tmp_path / "mine")
    assert promote(engine, str(folder), reason="test", by="li").path == str(folder.resolve())
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError):
        promote(engine, str(tmp_path / "empty"), reason="test", by="li")
    assert champion(engine) == "mine"


def test_a_version_without_its_folder_is_refused(engine: Engine, versions: list[str], tmp_path: Path) -> None:
    """Neither an unknown name nor a version whose folder is gone becomes champion."""
    promote(engine, "a", reason="test", by="li")
    (tmp_path / "b").rmdir()
    for name in ("b", "nonsense"):
        with pytest.raises(NotFoundError):
            promote(engine, name, reason="test", by="li")
    assert champion(engine) == "a"


def test_an_announcement_waits_for_the_broker(
    engine: Engine, versions: list[str], kafka_bootstrap: str, new_topic: Callable[..., str]
) -> None:
    """What no broker has acknowledged stays to be announced; then it is announced once."""
    topic = new_topic("model", **{"cleanup.policy": "compact"})
    promote(engine, "a", reason="test", by="li")
    with pytest.raises(DependencyNotReadyError):
        announce("127.0.0.1:9", topic, announcement("a"), timeout_seconds=1)
    with engine.connect() as connection:
        assert model_versions.to_announce(connection) is not None
    told = announce_pending(engine, kafka_bootstrap, topic)
    assert told is not None
    assert told.version == "a"
    assert announce_pending(engine, kafka_bootstrap, topic) is None


def test_a_scheduler_that_was_frozen_before_it_announced_does_not_have_the_last_word(
    engine: Engine,
    versions: list[str],
    kafka_bootstrap: str,
    new_topic: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another promotes and announces between its question and its answer: workers end with the newest champion."""
    topic = new_topic("model", **{"cleanup.policy": "compact"})
    promote(engine, "a", reason="test", by="li")

    def after_a_while(*arguments: Any) -> None:
        monkeypatch.undo()
        promote(engine, "b", reason="test", by="li")
        announce_pending(engine, kafka_bootstrap, topic)
        announce(*arguments)

    monkeypatch.setattr("opinion.promotions.announce", after_a_while)
    announce_pending(engine, kafka_bootstrap, topic)
    with following(kafka_bootstrap, topic) as heard:
        assert heard.get(timeout=20).version == "b"


def test_a_follower_hears_the_newest_and_what_comes(kafka_bootstrap: str, new_topic: Callable[..., str]) -> None:
    """Of the history only the last announcement is told, later ones as they come; garbage is skipped."""
    topic = new_topic("model", **{"cleanup.policy": "compact"})
    for version in ("a", "b", "c"):
        announce(kafka_bootstrap, topic, announcement(version))
    producer = KafkaProducer(bootstrap_servers=kafka_bootstrap)
    for key, value in ((b"champion", b"{garbage"), (b"other", b"{}"), (b"champion", None)):
        producer.send(topic, key=key, value=value).get(10)
    producer.close()
    with following(kafka_bootstrap, topic) as heard:
        assert heard.get(timeout=20) == announcement("c")
        announce(kafka_bootstrap, topic, announcement("d"))
        assert heard.get(timeout=20) == announcement("d")
        assert heard.empty()


def test_a_follower_survives_its_callback(kafka_bootstrap: str, new_topic: Callable[..., str]) -> None:
    """A model that cannot be loaded leaves the follower listening for the next one."""
    topic = new_topic("model", **{"cleanup.policy": "compact"})
    heard: queue.Queue[str] = queue.Queue()

    def refuse_a(told: ModelAnnouncement) -> None:
        heard.put(told.version)
        if told.version == "a":
            raise CheckpointError

    follower = ModelFollower(kafka_bootstrap, topic, refuse_a)
    follower.start()
    for version in ("a", "b"):
        announce(kafka_bootstrap, topic, announcement(version))
        assert heard.get(timeout=20) == version
    follower.stop()
