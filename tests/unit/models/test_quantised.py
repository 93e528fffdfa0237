"""Weights stored as 8-bit integers."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from models.checkpoints import load_checkpoint, save_checkpoint
from models.quantised import is_int8, load_int8, save_int8
from tests.support.checkpoints import tiny_checkpoint


def test_a_weight_is_restored_to_half_a_step(tmp_path: Path) -> None:
    """No weight moves by more than half of its row's step, and small rows keep steps of their own."""
    torch.manual_seed(3)
    weight = torch.randn(6, 40) * torch.tensor([1e-4, 0.01, 0.1, 1.0, 10.0, 0.0]).unsqueeze(1)
    save_int8({"matrix": weight}, tmp_path / "w.safetensors")
    restored = load_int8(tmp_path / "w.safetensors")["matrix"]
    step = weight.abs().amax(dim=1, keepdim=True) / 127
    assert ((restored - weight).abs() <= 0.51 * step + 1e-6).all()


def test_biases_and_counters_are_not_rounded_to_integers(tmp_path: Path) -> None:
    """Vectors stay floating point, integers stay what they are."""
    state = {"bias": torch.tensor([0.125, -3.5]), "steps": torch.tensor([7])}
    save_int8(state, tmp_path / "w.safetensors")
    restored = load_int8(tmp_path / "w.safetensors")
    assert restored["bias"].tolist() == [0.125, -3.5]
    assert restored["steps"].tolist() == [7]


def test_only_files_of_ours_are_taken_for_int8(tmp_path: Path) -> None:
    """A checkpoint from elsewhere is read by transformers."""
    save_file({"w": torch.ones(2, 2)}, tmp_path / "other.safetensors")
    assert not is_int8(tmp_path / "other.safetensors")


def test_a_checkpoint_saved_as_int8_answers_nearly_the_same(tmp_path: Path) -> None:
    """Loading such a folder gives the classifier that was saved, within the rounding."""
    model, tokenizer = load_checkpoint(tiny_checkpoint(tmp_path / "whole"))
    save_checkpoint(model, tokenizer, tmp_path / "small", "int8")
    again, _ = load_checkpoint(tmp_path / "small")
    ids = torch.arange(3, 20).unsqueeze(0)
    with torch.inference_mode():
        before, after = (m(ids, torch.ones_like(ids)).logits for m in (model, again))
    assert torch.allclose(before, after, atol=0.02)
    assert (tmp_path / "small" / "model.safetensors").stat().st_size < (
        tmp_path / "whole" / "model.safetensors"
    ).stat().st_size / 2
