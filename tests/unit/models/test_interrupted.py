"""Checkpoints of a training that was killed: only whole ones are taken up."""

from pathlib import Path

from models.finetune import WORK_FOLDER, finetune
from models.interrupted import mark_whole, newest_whole
from tests.unit.models.test_finetune import FAST, rows


def whole(work_dir: Path, step: int, *, is_marked: bool = True) -> Path:
    folder = work_dir / f"checkpoint-{step}"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "trainer_state.json").write_text("{}")
    if is_marked:
        mark_whole(folder)
    return folder


def test_the_newest_whole_one_is_taken(tmp_path: Path) -> None:
    """By its step, as a number."""
    whole(tmp_path, 90)
    newest = whole(tmp_path, 120)
    assert newest_whole(tmp_path) == newest


def test_half_of_one_is_removed(tmp_path: Path) -> None:
    """Killed while it was written (no mark yet), while files were flushed (a size is wrong), or while an old one was
    deleted (a file is gone): each is removed, and the one before is taken."""
    good = whole(tmp_path, 10)
    whole(tmp_path, 20, is_marked=False)
    (whole(tmp_path, 30) / "model.safetensors").write_bytes(b"wei")
    (whole(tmp_path, 40) / "trainer_state.json").unlink()
    (whole(tmp_path, 50) / "whole.json").write_bytes(b"{")
    assert newest_whole(tmp_path) == good
    assert list(tmp_path.iterdir()) == [good]


def test_without_any_the_training_begins_anew(tmp_path: Path) -> None:
    """Nor is a folder needed."""
    assert newest_whole(tmp_path / "none") is None


def test_a_real_training_goes_on_from_the_one_before_a_broken_one(checkpoint: Path, tmp_path: Path) -> None:
    """The last epoch was written by half: the training goes on after the one before it."""
    short = FAST.model_copy(update={"epochs": 2})
    finetune(checkpoint, rows(10), rows(2), tmp_path, optimisation=short)
    work_dir = tmp_path / WORK_FOLDER
    last = newest_whole(work_dir)
    assert last is not None
    (last / "optimizer.pt").write_bytes(b"half")
    seen: list[float] = []
    longer = FAST.model_copy(update={"epochs": 3})
    finetune(
        checkpoint,
        rows(10),
        rows(2),
        tmp_path,
        optimisation=longer,
        resume=True,
        on_progress=lambda at: seen.append(at.epoch),
    )
    assert 1 < seen[0] < 2
