import json
import shutil
from pathlib import Path

import pytest
from transformers import BertConfig, BertModel

from core.errors import CheckpointError, LabelSetError
from models.checkpoints import load_checkpoint, resolve, save_checkpoint, window_length


@pytest.fixture
def copy(checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(checkpoint, tmp_path / "copy"))


def change_config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """A path that looks like one is never sought on a hub."""
    with pytest.raises(CheckpointError, match="gone"):
        resolve(tmp_path / "gone")


def test_pickled_weights_are_refused(copy: Path) -> None:
    """A pickle can run code when it is loaded."""
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin"):
        load_checkpoint(copy)


def test_broken_weights_are_named(copy: Path) -> None:
    """A torn copy is a checkpoint error."""
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="copy"):
        load_checkpoint(copy)


def test_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    """A bare encoder has no heads to read opinions from."""
    BertModel(BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=1)).save_pretrained(
        tmp_path
    )
    with pytest.raises(CheckpointError, match="bert model") as caught:
        load_checkpoint(tmp_path)
    assert "base" in str(caught.value.remedy)


@pytest.mark.parametrize(
    ("heads", "message"),
    [
        ({"topic": ["sports"]}, "heads"),
        ({"topic": ["weather"], "sentiment": ["negative", "neutral", "positive"]}, "weather"),
        ({"topic": ["sports"], "sentiment": ["negative", "positive"]}, "neutral"),
    ],
)
def test_classes_that_are_not_ours_are_refused(copy: Path, heads: dict[str, list[str]], message: str) -> None:
    """A foreign label set would end in the wrong column of the counts."""
    change_config(copy, heads=heads)
    with pytest.raises(LabelSetError, match=message) as caught:
        load_checkpoint(copy)
    assert "opinion models train" in str(caught.value.remedy)


def test_half_precision_on_disk_is_full_precision_in_memory(checkpoint: Path, tmp_path: Path) -> None:
    """The starter is stored in float16 to stay small; the CPU computes in float32."""
    model, tokenizer = load_checkpoint(checkpoint)
    save_checkpoint(model, tokenizer, tmp_path / "half", "float16")
    loaded, _ = load_checkpoint(tmp_path / "half")
    assert str(next(loaded.parameters()).dtype) == "torch.float32"
    assert (tmp_path / "half" / "model.safetensors").stat().st_size < (
        checkpoint / "model.safetensors"
    ).stat().st_size


def test_a_classifier_is_read_in_windows_of_its_training(checkpoint: Path) -> None:
    """The tokenizer remembers how long a text the encoder was trained on."""
    assert window_length(load_checkpoint(checkpoint)[1]) == 64
