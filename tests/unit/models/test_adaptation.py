"""Training fewer weights: what moves, and that a plain checkpoint comes out."""

from pathlib import Path

import pytest
import torch

from models.checkpoints import load_checkpoint, save_checkpoint
from models.finetune import finetune
from models.inference import Classifier
from models.shrinking import set_dropout
from tests.unit.models.test_finetune import FAST, rows


@pytest.mark.parametrize(("method", "rate"), [("lora", 0.01), ("heads", 0.05)])
def test_a_plain_checkpoint_comes_out(checkpoint: Path, tmp_path: Path, method: str, rate: float) -> None:
    """With low-rank steps or the heads alone, the candidate has the champion's weights by name and shape, and judges
    as the training saw it last: merging changes nothing."""
    seen: list[dict[str, float]] = []
    trained = finetune(
        checkpoint,
        rows(10),
        rows(2),
        tmp_path / "out",
        optimisation=FAST.model_copy(update={"method": method, "learning_rate": rate}),
        on_progress=lambda at: seen.append(at.dev),
    )
    before, after = (load_checkpoint(folder)[0].state_dict() for folder in (checkpoint, trained.folder))
    assert {name: weight.shape for name, weight in before.items()} == {n: w.shape for n, w in after.items()}
    moved = {name for name, weight in before.items() if (weight - after[name]).abs().max() > 1e-3}
    assert any(name.startswith("heads.") for name in moved)
    assert any(name.startswith("encoder.") for name in moved) == (method == "lora")
    assert not any("embeddings" in name for name in moved)
    best = max(dev["macro_f1"] for dev in seen if dev)
    assert trained.dev["macro_f1"] == pytest.approx(best, abs=0.1)  # bfloat16 may turn one of the twelve texts
    assert Classifier.load(trained.folder, device="cpu").classify(["服务 很差"])


def test_a_training_with_low_rank_steps_goes_on(checkpoint: Path, tmp_path: Path) -> None:
    """The narrow matrices are in the intermediate checkpoints, and are taken up again."""
    short = FAST.model_copy(update={"method": "lora", "epochs": 2, "learning_rate": 0.01})
    finetune(checkpoint, rows(10), rows(2), tmp_path / "out", optimisation=short)
    seen: list[float] = []
    longer = short.model_copy(update={"epochs": 4})
    finetune(
        checkpoint,
        rows(10),
        rows(2),
        tmp_path / "out",
        optimisation=longer,
        resume=True,
        on_progress=lambda at: seen.append(at.epoch),
    )
    assert seen[0] > 2


def test_gradients_of_pieces_are_those_of_the_whole(checkpoint: Path, tmp_path: Path) -> None:
    """A batch worked off in pieces takes as many steps, and ends where the whole batch does: without dropout, which
    chance draws for each piece."""
    model, tokenizer = load_checkpoint(checkpoint)
    set_dropout(model.encoder, 0.0)
    model.config.encoder = model.encoder.config
    model.config.dropout = 0.0
    save_checkpoint(model, tokenizer, tmp_path / "first")
    still = FAST.model_copy(update={"epochs": 1, "label_smoothing": 0.0})
    weights, steps = [], []
    for micro_tokens in (None, 16):
        seen: list[int] = []
        trained = finetune(
            tmp_path / "first",
            rows(8),
            rows(2),
            tmp_path / str(micro_tokens),
            optimisation=still.model_copy(update={"micro_tokens": micro_tokens}),
            on_progress=lambda at, seen=seen: seen.append(at.step),  # type: ignore[misc]
        )
        weights.append(load_checkpoint(trained.folder)[0].heads["sentiment"].weight)
        steps.append(max(seen))
    assert steps[0] == steps[1]
    assert torch.allclose(weights[0], weights[1], atol=0.02)
