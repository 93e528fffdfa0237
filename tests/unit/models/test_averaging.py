from pathlib import Path

import torch
from safetensors.torch import save_file

from models.averaging import epoch_checkpoints, mean_weights


def test_the_mean_is_taken_over_all_epochs_in_full_precision(tmp_path: Path) -> None:
    """Also when one of them was stored in half precision."""
    for step, value, dtype in ((9, 1.0, torch.float16), (10, 2.0, torch.float32), (200, 6.0, torch.float32)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        save_file({"w": torch.full((2,), value, dtype=dtype)}, tmp_path / f"checkpoint-{step}" / "model.safetensors")
    mean = mean_weights(epoch_checkpoints(tmp_path))
    torch.testing.assert_close(mean["w"], torch.tensor([3.0, 3.0]))


def test_epochs_come_in_order_and_unfinished_ones_do_not_count(tmp_path: Path) -> None:
    """A checkpoint without weights was being written when the training was killed."""
    for step in (1000, 20):
        (tmp_path / f"checkpoint-{step}").mkdir()
        save_file({"w": torch.zeros(1)}, tmp_path / f"checkpoint-{step}" / "model.safetensors")
    (tmp_path / "checkpoint-3000").mkdir()
    assert [path.name for path in epoch_checkpoints(tmp_path)] == ["checkpoint-20", "checkpoint-1000"]
