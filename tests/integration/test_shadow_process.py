"""The shadow job with real processes and models of a few thousand weights: killed, unable to load, and at the end."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine, select

from core.clock import MovableClock, SystemClock
from core.settings import Settings
from opinion import shadowing
from opinion.shadow_job import AT_LEAST_EVERY, ShadowJob
from opinion.shadow_scoring import visit
from storage import model_versions, shadow_runs
from storage.engine import connect
from storage.shadow_runs import ShadowRun
from storage.tables import shadow_verdict
from tests.support.checkpoints import tiny_checkpoint
from tests.support.rows import store_rows
from tests.support.shadows import CANDIDATE, START, documents, entered, with_champion
from tests.support.waiting import wait_for

NOW = START + timedelta(hours=3)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A champion and a candidate."""
    folder = tmp_path_factory.mktemp("models")
    return tiny_checkpoint(folder / "first", seed=1), tiny_checkpoint(folder / "second", seed=2)


def newest(engine: Engine) -> ShadowRun:
    with engine.connect() as connection:
        return shadow_runs.newest(connection, 1)[0]


def reader() -> psutil.Process | None:
    """The process that reads for this one."""
    for process in psutil.Process().children(recursive=True):
        if "opinion.shadow_scoring" in process.cmdline():
            return process
    return None


def test_a_killed_reader_loses_and_doubles_nothing(
    engine: Engine, folders: tuple[Path, Path], database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kill -9 between two pieces: the next process goes on from there, and every document is judged once."""
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    monkeypatch.setenv("OPINION_HOME", str(tmp_path))
    monkeypatch.setenv("OPINION_SHADOW__PER_MINUTE", "240")  # a piece of 64 every sixteen seconds: time to be killed
    clock = MovableClock(SystemClock().now())  # the process goes by the real one
    rows = [one._replace(model_version="first") for one in documents(150)]
    store_rows(engine, rows)
    with engine.begin() as connection:
        for folder in folders:
            model_versions.register(connection, folder.name, str(folder), origin="test")
        model_versions.promote(connection, "first", reason="first", by="test")
        settings = Settings()
        shadowing.enter(
            connection, "second", "first", training_run=None, settings=settings.shadow,
            lateness=settings.detect.lateness, now=clock.now(),
        )  # fmt: skip
    job = ShadowJob(engine, settings, clock)
    thread = threading.Thread(target=job, args=(lambda: False,))
    thread.start()
    wait_for(lambda: newest(engine).scored > 0, 60, "the first piece")
    child = wait_for(reader, 10, "the process")
    assert child is not None
    assert child.nice() >= 10, "workers come first"
    child.send_signal(signal.SIGKILL)
    thread.join(30)
    killed = newest(engine)
    assert (killed.state, killed.scored, killed.attempts) == ("scoring", 64, 0)
    visit(engine, killed.id, settings, clock, sleep=lambda seconds: None)
    done = newest(engine)
    assert (done.state, done.attempts) == ("scoring", 0)
    assert done.figures["slower"] > 0
    with engine.connect() as connection:
        kept = connection.scalars(select(shadow_verdict.c.document_id)).all()
    assert len(kept) == len(set(kept)) == done.scored
    assert 140 < done.scored <= 150


def test_a_candidate_that_cannot_be_run_is_rejected(engine: Engine, tmp_path: Path) -> None:
    """Three processes that end without coming further are enough; the reason says how they ended."""
    with_champion(engine, documents(300))
    settings = Settings(home=tmp_path)
    entered(engine, settings, NOW)
    clock = MovableClock(NOW)
    job = ShadowJob(
        engine, settings, clock, lambda run: subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    )
    for _ in range(3):
        assert newest(engine).state == "scoring"
        job(lambda: False)
    ended = newest(engine)
    assert (ended.state, ended.decided_by) == ("rejected", "shadow")
    assert "its process ended with exit code 3, 3 times in a row" in ended.reasons[0]
    entered(engine, settings, NOW)
    clock.advance(timedelta(days=2))
    for _ in range(3):
        job(lambda: False)
    assert newest(engine).state == "waiting", "all is read: whatever fails then is not the candidate"


def test_a_scheduler_that_stops_is_no_fault_of_the_candidate(engine: Engine, tmp_path: Path) -> None:
    """Told to stop, the job ends the process, and nothing is counted against the candidate."""
    with_champion(engine, documents(300))
    settings = Settings(home=tmp_path)
    entered(engine, settings, NOW)
    started: list[subprocess.Popen[bytes]] = []

    def start(run: int) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]))
        return started[0]

    ShadowJob(engine, settings, MovableClock(NOW), start)(lambda: bool(started))
    assert started[0].poll() is not None
    assert (newest(engine).state, newest(engine).attempts) == ("scoring", 0)


def test_few_documents_are_not_worth_a_process(engine: Engine, tmp_path: Path) -> None:
    """A process starts for many documents at once, for few of them every five minutes, and for none never."""
    rows = documents(300)
    with_champion(engine, rows[:240])
    settings = Settings(home=tmp_path)
    entered(engine, settings, NOW)
    clock = MovableClock(NOW)
    runs: list[int] = []

    def start(run: int) -> subprocess.Popen[bytes]:
        runs.append(run)
        return subprocess.Popen([sys.executable, "-c", ""])

    job = ShadowJob(engine, settings, clock, start)
    job(lambda: False)
    assert len(runs) == 1
    with engine.begin() as connection:
        shadow_runs.advance(
            connection, runs[0], reached=(rows[239].published_at, "~"), scored=240, live=0, failures=0
        )
    clock.advance(AT_LEAST_EVERY)
    job(lambda: False)
    assert len(runs) == 1, "nothing is left"
    store_rows(engine, rows[240:260])
    job(lambda: False)
    assert len(runs) == 2, "some documents, and the last process long ago"
    job(lambda: False)
    assert len(runs) == 2, "some documents, and the last process just now"
    clock.advance(timedelta(hours=24))
    job(lambda: False)
    assert len(runs) == 3, "time is up: somebody has to decide"
    assert newest(engine).candidate == CANDIDATE
