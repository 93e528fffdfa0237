"""Checkpoints of a training that may be killed at any moment: which of them are whole, and the newest of those."""

import shutil
from pathlib import Path
from typing import Any, Final

import msgspec
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

WHOLE_FILE: Final = "whole.json"  # written last: names every file of the checkpoint with its size
FilesBySize = dict[str, int]


class MarkWhole(TrainerCallback):  # type: ignore[misc]
    """Marks each checkpoint once all of it is written."""

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if state.is_world_process_zero:
            mark_whole(Path(args.output_dir) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}")


def mark_whole(checkpoint: Path) -> None:
    """Say that the checkpoint is complete as it is."""
    draft = checkpoint / f".{WHOLE_FILE}"
    draft.write_bytes(msgspec.json.encode(_sizes(checkpoint)))
    draft.replace(checkpoint / WHOLE_FILE)


def newest_whole(work_dir: Path) -> Path | None:
    """The latest complete checkpoint to go on from; what was written or deleted by half is removed.

    A kill may come while a checkpoint is written, and while an old one is deleted: both are told by the sizes.
    """
    found: list[Path] = []
    for checkpoint in work_dir.glob(f"{PREFIX_CHECKPOINT_DIR}-*"):
        if _is_whole(checkpoint):
            found.append(checkpoint)
        else:
            shutil.rmtree(checkpoint, ignore_errors=True)
    return max(found, key=lambda path: int(path.name.rsplit("-", 1)[1]), default=None)


def _is_whole(checkpoint: Path) -> bool:
    try:
        marked = msgspec.json.decode((checkpoint / WHOLE_FILE).read_bytes(), type=FilesBySize)
    except (OSError, msgspec.MsgspecError):
        return False
    return marked == _sizes(checkpoint)


def _sizes(checkpoint: Path) -> FilesBySize:
    return {
        str(path.relative_to(checkpoint)): path.stat().st_size
        for path in checkpoint.rglob("*")
        if path.is_file() and path.name not in (WHOLE_FILE, f".{WHOLE_FILE}")
    }
