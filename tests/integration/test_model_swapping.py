"""Workers on their way to the champion: what they cannot load they say, and what kills them loses nothing."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from core.metrics import MODEL_NOT_LOADED
from core.records import Document, ModelAnnouncement
from models.inference import Classifier
from opinion.cli import app
from storage import worker_models
from storage.engine import connect
from storage.worker_models import WorkerModel
from streams import topics
from streams.announcements import announce
from streams.classify import ClassifyStep
from streams.swapping import ModelSwapper
from tests.support.checkpoints import tiny_checkpoint
from tests.support.stages import Stage, documents
from tests.support.waiting import wait_for


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url)
    yield engine
    engine.dispose()


def announcement(folder: Path) -> ModelAnnouncement:
    return ModelAnnouncement(version=folder.name, path=str(folder), promoted_at=datetime(2026, 5, 1, tzinfo=UTC))


def reported(engine: Engine) -> list[WorkerModel]:
    with engine.connect() as connection:
        return worker_models.alive(connection)


def test_a_model_that_comes_late_is_loaded_when_it_is_there(
    engine: Engine, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until its folder is there, the worker goes on with the old one, and metric, SQL and `models list` say why."""

    def load(path: str) -> Classifier:
        return Classifier.load(path, threads=1)

    step = ClassifyStep(load(str(tiny_checkpoint(tmp_path / "a"))), load)
    trims: list[str] = []
    swapper = ModelSwapper(
        step, engine, worker="w1", retry_seconds=0, give_back_memory=lambda: trims.append(step.version)
    )
    swapper.start()
    swapper.announced(announcement(tmp_path / "b"))
    wait_for(lambda: any(one.error for one in reported(engine)), 20, "the worker to say that it cannot load")
    [row] = reported(engine)
    assert (row.worker, row.version, row.wanted, row.is_behind) == ("w1", "a", "b", True)
    assert MODEL_NOT_LOADED._value.get() == 1
    assert [one.model_version for one in step.run([Document(text="x")])] == ["a"]

    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    monkeypatch.setenv("OPINION_HOME", str(tmp_path / "var"))
    monkeypatch.setenv("OPINION_MODELS__CHECKPOINT", str(tmp_path / "a"))
    listed = CliRunner().invoke(app, ["models", "list", "--json"])
    [worker] = json.loads(listed.stdout)["workers"]
    assert (worker["worker"], worker["version"], worker["wanted"]) == ("w1", "a", "b")
    assert worker["error"].startswith("CheckpointError")
    assert "CheckpointError" in CliRunner().invoke(app, ["models", "list"], env={"COLUMNS": "200"}).stdout

    tiny_checkpoint(tmp_path / "late", seed=1)
    (tmp_path / "late").rename(tmp_path / "b")
    wait_for(lambda: MODEL_NOT_LOADED._value.get() == 0, 20, "the model to be loaded")
    assert [one.model_version for one in step.run([Document(text="x")])] == ["b"]
    wait_for(lambda: [one.version for one in reported(engine)] == ["b"], 20, "the worker to say that it has swapped")
    assert (reported(engine)[0].error, trims) == (None, ["b"])
    swapper.stop()


def test_a_worker_of_long_ago_is_not_told_of(engine: Engine) -> None:
    """One that was killed says nothing any more, and is gone from the list after a minute."""
    with engine.begin() as connection:
        for worker in ("dead", "alive"):
            worker_models.report(connection, worker, version="a", wanted="a", error=None)
        connection.execute(
            text("UPDATE worker_model SET seen_at = now() - interval '2 minutes' WHERE worker = 'dead'")
        )
    assert [one.worker for one in reported(engine)] == ["alive"]


@pytest.fixture
def stage(kafka_bootstrap: str, database_url: str, topic_prefix: str, tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(kafka_bootstrap, database_url, topic_prefix, tmp_path)
    yield stage
    stage.close()


def test_a_worker_killed_during_a_swap_loses_and_doubles_nothing(stage: Stage, tmp_path: Path) -> None:
    """Both are told of a new model while they work, and one is killed as it takes it into use: every document is
    stored and told of once, the counts of both models agree with the rows, and the other worker swaps."""
    folder = tiny_checkpoint(tmp_path / "second", seed=1)
    first, second = stage.start_worker(), stage.start_worker()
    first.wait_until_ready()
    second.wait_until_ready()
    stage.produce(documents(0, 1200))
    wait_for(lambda: stage.settled() > 50, 60, "work to be under way")
    announce(stage.bootstrap, stage.kafka.topic_prefix + topics.MODEL, announcement(folder))
    wait_for(lambda: _told(stage) or first.process.poll() is not None, 30, "a worker to have heard of it")
    first.kill()
    stage.produce(documents(1200, 1500))
    stage.wait_until_settled(1500)
    assert stage.ids() == {f"d{n}": 1 for n in range(1500)}
    assert stage.audit().is_clean
    assert set(stage.event_ids()) == {f"d{n}:0".encode() for n in range(1500)}
    wait_for(lambda: "opinion_streams_model_swaps_total 1.0" in second.metrics(), 30, "the other one to swap")
    with stage.engine.connect() as connection:
        by_version: dict[Any, Any] = dict(
            map(tuple, connection.execute(text("SELECT model_version, count(*) FROM document GROUP BY 1")))
        )
    assert set(by_version) == {"tiny", "second"}


def _told(stage: Stage) -> bool:
    return any(one.wanted == "second" for one in reported(stage.engine))
