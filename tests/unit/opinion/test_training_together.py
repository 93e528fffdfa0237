"""Several processes that train together leave what one would."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from models.checkpoints import load_checkpoint
from models.replay import Replay
from opinion.training_child import (
    CANDIDATE_FOLDER,
    JOB_FILE,
    PROGRESS_FILE,
    REPLAY_ROWS_FILE,
    ROWS_FILE,
    TRAINED_FILE,
    Progress,
    TrainedFacts,
    TrainingJob,
    TrainingRows,
    learn,
    learn_together,
)
from tests.support.checkpoints import tiny_checkpoint
from tests.unit.models.test_finetune import rows


def lay_out(folder: Path, checkpoint: Path) -> Path:
    """The files of a job whose replay has been chosen."""
    folder.mkdir()
    job = TrainingJob(
        champion=str(checkpoint),
        champion_version="first",
        home=str(folder),
        created_at=datetime(2026, 5, 1, tzinfo=UTC),
        epochs=4,
        learning_rate=5e-3,
        device="cpu",
        batch_tokens=512,
        max_length=64,
        threads=1,
        micro_tokens=64,
    )
    labelled = TrainingRows(rows(8), rows(1), rows(1), [])
    replay = Replay(rows(8), rows(2), rows(1), [], "self")
    for name, value in ((JOB_FILE, job), (ROWS_FILE, labelled), (REPLAY_ROWS_FILE, replay)):
        (folder / name).write_bytes(msgspec.json.encode(value))
    return folder


def test_two_processes_leave_what_one_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With gloo on two CPU processes: the same files, written once, weights of the same names, as many rows seen."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    checkpoint = tiny_checkpoint(tmp_path / "first")
    together, alone = (lay_out(tmp_path / name, checkpoint) for name in ("together", "alone"))
    learn_together(together, 2)
    learn(alone)
    names = [
        sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if "checkpoint-" not in str(path))
        for folder in (together, alone)
    ]
    assert names[0] == names[1]
    facts, progress, weights = [], [], []
    for folder in (together, alone):
        facts.append(msgspec.json.decode((folder / TRAINED_FILE).read_bytes(), type=TrainedFacts))
        progress.append(msgspec.json.decode((folder / PROGRESS_FILE).read_bytes(), type=Progress))
        weights.append(load_checkpoint(folder / CANDIDATE_FOLDER)[0].state_dict())
    assert facts[0].rows == facts[1].rows
    assert progress[0].steps == progress[1].steps
    assert weights[0].keys() == weights[1].keys()
    assert facts[0].dev.keys() == facts[1].dev.keys()
