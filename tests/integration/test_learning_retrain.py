"""The retrain job on a real database with a model of a few thousand weights: promoted, refused, killed, alone."""

import contextlib
import json
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine, update

from core import children
from core.code_version import code_version
from models.datasets import LabelledText
from models.finetune import ONWARDS, finetune
from models.gate_record import read_record
from opinion import training_process
from opinion.model_integrity import damage
from opinion.promotions import first_champion
from opinion.retraining import (
    RetrainOptions,
    RetrainResult,
    RetrainRunningError,
    TrainingFailedError,
    retrain,
)
from opinion.training_child import Progress
from storage import human_labels, model_versions, training_runs
from storage.engine import connect
from storage.human_labels import NewLabel
from storage.tables import human_label
from tests.support.checkpoints import tiny_checkpoint
from tests.support.records import row
from tests.support.rows import store_rows
from tests.support.waiting import wait_for

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
FILLERS = ("text", "number", "tea", "coffee", "bank", "phone", "car", "银行", "手机", "汽车", "奶茶", "价格", "服务")
WORD_OF = {"negative": "bad", "positive": "good"}
OPTIMISATION = ONWARDS.model_copy(update={"epochs": 6, "learning_rate": 0.02})
OPPOSITE = {"negative": "positive", "positive": "negative"}


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A champion that knows nothing."""
    return str(tiny_checkpoint(tmp_path_factory.mktemp("models") / "first"))


@pytest.fixture(scope="module")
def good_checkpoint(checkpoint: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A champion that tells good from bad."""
    rows = [LabelledText(text, sentiment=mood) for text, mood in texts(300, seed=11)]
    folder = tmp_path_factory.mktemp("models") / "good"
    finetune(Path(checkpoint), rows[:250], rows[250:], folder, optimisation=OPTIMISATION)
    return str(folder)


@pytest.fixture
def options(tmp_path: Path, checkpoint: str) -> RetrainOptions:
    return RetrainOptions(
        home=tmp_path,
        checkpoint=checkpoint,
        held_out_share=0.25,
        epochs=OPTIMISATION.epochs,
        learning_rate=OPTIMISATION.learning_rate,
        device="cpu",
        batch_tokens=4096,
        max_length=64,
        threads=1,
    )


def texts(count: int, seed: int) -> list[tuple[str, str]]:
    """Texts that the tiny tokenizer knows, each with the sentiment its one telling word has."""
    chance = random.Random(seed)
    moods = [chance.choice(sorted(WORD_OF)) for _ in range(count)]
    found = []
    for nth, mood in enumerate(moods):
        words = [*chance.sample(FILLERS, 3), WORD_OF[mood], str(nth)]
        chance.shuffle(words)
        found.append((" ".join(words), mood))
    return found


def add_labels(engine: Engine, labelled: list[tuple[str, str]], *, day: int = 0) -> None:
    """Store answers as if they had reached us `day` days after noon."""
    at = NOW + timedelta(days=day)
    with engine.begin() as connection:
        before = human_labels.count_after(connection, 0)
        human_labels.add(
            connection,
            [
                NewLabel(f"{before + nth}".encode(), None, text, "en", "test", "sentiment", mood, "li", at)
                for nth, (text, mood) in enumerate(labelled)
            ],
        )
        connection.execute(update(human_label).where(human_label.c.labelled_at == at).values(recorded_at=at))


def run(engine: Engine, options: RetrainOptions, *, min_new_labels: int = 0) -> RetrainResult:
    return retrain(engine, options, min_new_labels=min_new_labels, now=NOW)


def champion(engine: Engine) -> str | None:
    with engine.connect() as connection:
        found = model_versions.champion(connection)
    return found.version if found else None


def newest_run(engine: Engine) -> training_runs.TrainingRun:
    with engine.connect() as connection:
        return training_runs.newest(connection, 1)[0]


def test_what_learns_is_promoted(engine: Engine, options: RetrainOptions) -> None:
    """Right labels make a better model: it is promoted with figures in words, and carries its card."""
    add_labels(engine, texts(240, seed=1))
    progress: list[Progress] = []
    result = retrain(engine, options, min_new_labels=1, now=NOW, on_progress=progress.append)
    assert result.promoted, result.reasons
    held_out = result.metrics["held_out"]
    assert held_out["texts"] == 60
    assert held_out["candidate"]["sentiment"] > held_out["champion"]["sentiment"] + 0.2
    assert champion(engine) == result.candidate
    assert "champion" in result.reasons[0]
    assert progress, "a person who waits hears how far it is"
    recorded = newest_run(engine)
    assert (recorded.id, recorded.candidate, recorded.is_promoted) == (result.run, result.candidate, True)
    with engine.connect() as connection:
        (candidate, parent) = model_versions.versions(connection)
        assert model_versions.to_announce(connection) is not None
    assert (candidate.parent, candidate.origin) == (parent.version, "retrain")
    assert (candidate.training_run, candidate.code_version) == (result.run, code_version())
    assert candidate.options["learning_rate"] == options.learning_rate
    assert damage(candidate, Path(candidate.path)) == []
    assert "held-out labels" in (Path(candidate.path) / "README.md").read_text()
    assert result.reasons[0].startswith("passed: held-out labels (60 texts): +")
    assert result.metrics["gate"]["gain"]["mean"]["low"] > 0
    assert {slice_["name"] for slice_ in result.metrics["gate"]["slices"]} >= {"en", "test", "negative"}
    assert result.metrics["gate"]["speed"]["slowdown"] < options.gate.most_slowdown
    assert "Accepted: " in (Path(candidate.path) / "report.html").read_text()
    assert read_record(Path(candidate.path))[0].verdict.reasons == recorded.reasons
    assert not list((options.home / "retrain").iterdir())
    assert (recorded.trigger, recorded.trigger_reason) == ("hand", "asked for")
    assert recorded.snapshot["texts"] == {"train": 142, "dev": 38, "gold": 60, "new gold": 60, "new labels": 240}
    assert recorded.progress["stage"] == "judging"
    assert set(result.metrics["ages"]) == {"up to 30 days"}
    again = run(engine, options, min_new_labels=1)
    assert (again.run, again.reasons) == (None, ["0 labels since the last run, 1 are needed"])
    by_hand = run(engine, options)
    assert by_hand.run is None
    assert by_hand.reasons == [f"nothing is new: run {result.run} learned from the same labels with the same options"]


def test_a_sabotaged_candidate_is_refused(engine: Engine, options: RetrainOptions, good_checkpoint: str) -> None:
    """Flipped labels in the training part make a worse model: the champion stays, the reason has both figures."""
    add_labels(engine, [(text, OPPOSITE[mood]) for text, mood in texts(300, seed=2)])
    add_labels(engine, [(f"{text} price", mood) for text, mood in texts(100, seed=3)], day=1)
    result = run(engine, replace(options, checkpoint=good_checkpoint))
    assert not result.promoted
    assert result.reasons[0].startswith("refused: held-out labels (100 texts): -")
    assert champion(engine) == "good"
    recorded = newest_run(engine)
    assert (recorded.candidate, recorded.is_promoted, recorded.reasons) == (result.candidate, False, result.reasons)


def test_what_the_champion_knows_is_replayed(engine: Engine, options: RetrainOptions, good_checkpoint: str) -> None:
    """Stored documents that the champion is sure about join the training; a part of them is kept for the gate."""
    add_labels(engine, texts(100, seed=1))
    documents = [row(f"forum:{nth}", nth, text=f"{text} price") for nth, (text, _) in enumerate(texts(400, seed=4))]
    store_rows(engine, documents)
    result = run(engine, replace(options, checkpoint=good_checkpoint))
    assert result.metrics["replay"]["origin"] == "self"
    assert result.metrics["rows"]["replay (self)"] > 100
    assert result.metrics["replay"]["texts"] >= 50
    assert [reason for reason in result.reasons if "replay texts (" in reason]


def test_without_labels_there_is_nothing_to_do(engine: Engine, options: RetrainOptions) -> None:
    """Neither no labels nor too few new ones start a run, and no model is loaded for it."""
    nothing = run(engine, options)
    assert (nothing.run, nothing.champion, nothing.reasons) == (None, options.checkpoint, ["there are no labels"])
    add_labels(engine, texts(5, seed=1))
    few = run(engine, options, min_new_labels=6)
    assert few.reasons == ["5 labels since the last run, 6 are needed"]
    with engine.connect() as connection:
        assert not training_runs.newest(connection)


def test_two_at_once_are_one(engine: Engine, options: RetrainOptions) -> None:
    """While somebody trains, here or on another machine, a second run is refused."""
    add_labels(engine, texts(60, seed=1))
    with training_runs.only_run(engine) as is_ours:
        assert is_ours
        with pytest.raises(RetrainRunningError):
            run(engine, options)
    with training_runs.only_run(engine) as is_free:
        assert is_free


def test_a_run_that_is_killed_again_and_again_completes(
    engine: Engine, options: RetrainOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kill -9 while reading, while training, while judging, and of the parent in the transaction of the verdict: each
    run says what happened, the champion stays, and the next run goes on where that one was, on the same rows."""
    monkeypatch.setattr(training_process, "LOOK_SECONDS", 0.02)
    options = replace(options, epochs=12)
    add_labels(engine, texts(300, seed=1))
    killed_in = {
        "reading with the champion": lambda at: at.stage.startswith("reading"),
        "training": lambda at: at.stage == "training" and any(options.home.rglob("whole.json")),
        "judging": lambda at: at.stage == "judging",
    }
    hashes, first_steps = set(), []
    for stage, is_time in killed_in.items():
        seen: list[Progress] = []

        def kill(at: Progress, is_time: Callable[[Progress], bool] = is_time, seen: list[Progress] = seen) -> None:
            seen.append(at)
            child = training_child()
            if is_time(at) and child is not None:
                child.send_signal(signal.SIGKILL)

        with pytest.raises(TrainingFailedError, match="was killed by SIGKILL"):
            retrain(engine, options, min_new_labels=1, now=NOW, on_progress=kill)
        marked = newest_run(engine)
        assert (marked.candidate, marked.reasons) == (None, ["the training was killed by SIGKILL"]), stage
        assert marked.finished_at is not None
        hashes.add((marked.snapshot_hash, marked.snapshot["pool_hash"]))
        first_steps.append(next((at.step for at in seen if at.stage == "training"), 0))
    assert len(hashes) == 1
    assert first_steps[2] > first_steps[1], "the third run went on after a whole epoch of the second"
    kill_in_the_verdict(engine, options)
    assert champion(engine) == "first"
    monkeypatch.setattr(children, "spawn", lambda *_, **__: pytest.fail("all was trained: no child is needed"))
    result = run(engine, options, min_new_labels=1)
    assert result.candidate is not None
    with engine.connect() as connection:
        runs = training_runs.newest(connection)
        assert [one.version for one in model_versions.versions(connection)].count(result.candidate) == 1
    assert runs[1].reasons == ["the run was broken off: its process ended"]
    assert all(one.finished_at is not None for one in runs)
    assert not list((options.home / "retrain").iterdir())


def kill_in_the_verdict(engine: Engine, options: RetrainOptions) -> None:
    """A process of its own retrains, and is killed when it has written its verdict and not yet committed it."""
    marker = options.home / "in the verdict"
    told = {name: getattr(options, name) for name in ("checkpoint", "held_out_share", "epochs", "learning_rate")}
    told |= {name: getattr(options, name) for name in ("device", "batch_tokens", "max_length", "threads")}
    told["home"] = str(options.home)
    url = engine.url.render_as_string(hide_password=False)
    argv = [sys.executable, "-m", "tests.support.hanging_retrain", url, json.dumps(told), str(marker)]
    process = subprocess.Popen(argv)
    try:
        wait_for(lambda: marker.exists() or process.poll() is not None, 120, "the verdict")
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_a_training_that_takes_too_much_memory_is_ended(engine: Engine, options: RetrainOptions) -> None:
    """Rather than the workers beside it; the reason names the figures."""
    add_labels(engine, texts(60, seed=1))
    with pytest.raises(TrainingFailedError, match=r"took \d+ MiB of memory, 1 are allowed"):
        run(engine, replace(options, most_memory_mb=1))
    assert training_child() is None
    assert not list((options.home / "retrain").iterdir())


def test_a_run_whose_process_died_is_closed(engine: Engine, options: RetrainOptions) -> None:
    """A run that never came to write its end is marked by the next holder of the lock."""
    with engine.begin() as connection:
        first_champion(connection, options.checkpoint)
        left = training_runs.start(connection, champion="first", last_label_id=0)
    run(engine, options)
    closed = newest_run(engine)
    assert (closed.id, closed.reasons) == (left, ["the run was broken off: its process ended"])


def test_a_scheduler_that_stops_takes_the_training_along(engine: Engine, options: RetrainOptions) -> None:
    """Told to stop, the job ends its child and marks the run; what it has begun is left for the next one."""
    add_labels(engine, texts(60, seed=1))
    with pytest.raises(TrainingFailedError, match="stopped"):
        retrain(engine, options, min_new_labels=0, now=NOW, should_stop=lambda: training_child() is not None)
    assert newest_run(engine).reasons == ["the training was stopped"]
    assert training_child() is None
    assert list((options.home / "retrain").iterdir())


def training_child() -> psutil.Process | None:
    """The process that trains for this one."""
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has ended meanwhile
            if "opinion.training_child" in process.cmdline():
                return process
    return None
