"""What the parent does beside a training: lay out work, find it again, let it wait."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from models.datasets import LabelledText
from opinion import training_child
from opinion.training_child import JOB_FILE, PAUSE_FILE, Reporter, TrainingJob, TrainingRows
from opinion.training_process import MOST_PAUSED_SECONDS, PAUSE_EVERY_SECONDS, Pause, Work

ROWS = TrainingRows([LabelledText("a", "sports")], [], [], [], [])


def job(home: Path) -> TrainingJob:
    return TrainingJob(
        champion="starter",
        champion_version="v1",
        home=str(home),
        created_at=datetime(2026, 5, 1, tzinfo=UTC),
        epochs=1,
        learning_rate=0,
        device="cpu",
        batch_tokens=512,
        max_length=64,
        threads=1,
    )


def test_the_same_work_is_found_again(tmp_path: Path) -> None:
    """By snapshot and champion; with its rows, although the stream has moved on meanwhile."""
    Work.of(tmp_path, "hash", "v1").begin(job(tmp_path), ROWS)
    assert Work.of(tmp_path, "hash", "v1").begun() == (job(tmp_path), ROWS)
    assert Work.of(tmp_path, "hash", "v2").begun() is None
    assert Work.of(tmp_path, "other", "v1").begun() is None


def test_work_laid_out_by_half_is_begun_anew(tmp_path: Path) -> None:
    """Killed before the job was written, or with a damaged file."""
    work = Work.of(tmp_path, "hash", "v1")
    work.begin(job(tmp_path), ROWS)
    (work.folder / JOB_FILE).unlink()
    assert work.begun() is None
    work.begin(job(tmp_path), ROWS)
    (work.folder / "rows.json").write_text('{"train": [')
    assert work.begun() is None


def test_new_work_takes_the_place_of_old(tmp_path: Path) -> None:
    """Texts of a snapshot that nobody will ask for again do not stay on the disk."""
    old, new = Work.of(tmp_path, "old", "v1"), Work.of(tmp_path, "new", "v1")
    old.begin(job(tmp_path), ROWS)
    new.begin(job(tmp_path), ROWS)
    assert [path.name for path in (tmp_path / "retrain").iterdir()] == [new.folder.name]


def test_a_training_waits_while_the_backlog_grows(tmp_path: Path) -> None:
    """It is asked rarely, waits as long as the answer is yes, and an hour in all at most."""
    file = tmp_path / PAUSE_FILE
    file.touch()  # left by a parent that was killed
    is_busy = [True]
    pause = Pause(file, lambda: is_busy[0])
    assert not file.exists()
    pause.look(0)
    assert file.exists()
    is_busy[0] = False
    pause.look(PAUSE_EVERY_SECONDS / 2)
    assert file.exists()
    pause.look(PAUSE_EVERY_SECONDS)
    assert not file.exists()
    is_busy[0] = True
    pause.look(2 * PAUSE_EVERY_SECONDS)
    assert file.exists()
    pause.look(MOST_PAUSED_SECONDS + 3 * PAUSE_EVERY_SECONDS)
    assert not file.exists()


def test_no_step_is_made_while_paused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The training's own process waits at its next report until the file is gone."""
    (tmp_path / PAUSE_FILE).touch()
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            (tmp_path / PAUSE_FILE).unlink()

    monkeypatch.setattr(training_child.time, "sleep", wait)
    Reporter(tmp_path)("training", 1, 2)
    assert len(waits) == 3
